"""A gateway in a pod: the Secret's variable wins, the copies on the volume follow.

The variable ``OPENCLAW_GATEWAY_TOKEN`` is the source of truth; the copies follow it at every start,
or go, as the setting ``persist`` says.

The server reads ``gateway.auth.token`` before the variable, so a stale copy there makes the
*server* switch; and a program without the variable falls back to the copies. Both are why the
copies matter although the variable is set.

Modules:

- ``authority``: whether it is for this policy to say what the others must be;
- ``copies``: what becomes of a copy;
- ``decide``: the decision as a whole;
- ``references``: why a reference is left alone;
- ``settings``: the deployment's parameters.
"""

NAME = "helm"
VERSION = "0.1.0"

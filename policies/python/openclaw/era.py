"""Who looks where, in which order, since when: the table behind every answer.

Measured by running the releases. What bends an order, such as a reference or an explicit
``--token``, is said by the functions below the table, each with the release since which it holds.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from .names import Credential, Mode, Place, Program
from .version import Version

_FIRST = Version(0, 0, 0)
# The service kind began to matter, and the source of a URL; node hosts began to resolve as clients
# do, and the terminal interface to ask how the gateway authenticates.
_SERVICE_KIND = Version(2026, 3, 7)
# A reference that leads nowhere stopped counting as absent.
_FAILS_CLOSED = Version(2026, 3, 11)
# The variables of the earlier name were given up.
_ONE_NAME = Version(2026, 3, 22)
# The server began to refuse the documentation's examples, and the probe to take a secret from its
# caller. First seen on 2026.4.24.
_SPRING = Version(2026, 4, 0)
# The probe stopped falling back to `gateway.remote.*` in local mode, clients behind a trusted proxy
# got rules of their own, and the terminal interface began to look at the environment in remote
# mode. First seen on 2026.5.28.
_STRICT = Version(2026, 5, 0)
# The server behind a trusted proxy began to follow a reference to a password. First seen on
# 2026.7.35.
_PROXY_PASSWORD = Version(2026, 6, 0)
# Clients turned from environment-first to configuration-first.
_CONFIG_FIRST = Version(2026, 8, 1)
# The server began to refuse a blank value too. First seen on 2026.9.6.
_NO_BLANKS = Version(2026, 9, 0)


class _Row(NamedTuple):
    """What an order holds for; the last row that holds is the one in force."""

    since: Version
    program: Program
    # Both modes where none is given.
    mode: Mode | None
    order: tuple[Place, ...]
    # Both credentials where none is given.
    credential: Credential | None = None
    # Only with `OPENCLAW_SERVICE_KIND=gateway`.
    in_service: bool = False


_GATEWAY, _CLI, _TUI = Program.GATEWAY, Program.CLI, Program.TUI
_PROBE, _NODE_HOST = Program.PROBE, Program.NODE_HOST
_HERE, _THERE = Mode.LOCAL, Mode.REMOTE
_CALL, _ENV, _LEGACY, _AUTH, _REMOTE = Place
_TOKEN, _PASSWORD = Credential

# The orders. Later rows win over earlier ones.
_ROWS = (
    _Row(_FIRST, _GATEWAY, None, (_CALL, _AUTH, _ENV)),
    #
    _Row(_FIRST, _CLI, _HERE, (_ENV, _LEGACY, _AUTH, _REMOTE)),
    _Row(_SERVICE_KIND, _CLI, _HERE, (_AUTH, _REMOTE, _ENV, _LEGACY), _TOKEN, True),
    _Row(_CONFIG_FIRST, _CLI, _HERE, (_AUTH, _ENV, _REMOTE)),
    _Row(_FIRST, _CLI, _THERE, (_REMOTE, _ENV, _LEGACY, _AUTH)),
    _Row(_FIRST, _CLI, _THERE, (_ENV, _LEGACY, _REMOTE, _AUTH), _PASSWORD),
    #
    _Row(_FIRST, _TUI, _HERE, (_CALL, _ENV, _AUTH), _TOKEN),
    _Row(_FIRST, _TUI, _HERE, (_CALL, _ENV), _PASSWORD),
    _Row(_SERVICE_KIND, _TUI, _HERE, (_CALL, _AUTH, _ENV), _TOKEN),
    _Row(_SERVICE_KIND, _TUI, _HERE, (_CALL, _ENV, _AUTH), _PASSWORD),
    _Row(_CONFIG_FIRST, _TUI, _HERE, (_CALL, _AUTH, _ENV)),
    _Row(_FIRST, _TUI, _THERE, (_CALL, _REMOTE)),
    _Row(_STRICT, _TUI, _THERE, (_CALL, _REMOTE, _ENV)),
    _Row(_FIRST, _TUI, _THERE, (_CALL, _ENV, _REMOTE), _PASSWORD),
    #
    _Row(_FIRST, _PROBE, _HERE, (_ENV, _AUTH, _REMOTE)),
    _Row(_STRICT, _PROBE, _HERE, (_ENV, _AUTH)),
    _Row(_SERVICE_KIND, _PROBE, _HERE, (_AUTH, _REMOTE, _ENV), _TOKEN, True),
    _Row(_STRICT, _PROBE, _HERE, (_AUTH, _ENV), _TOKEN, True),
    _Row(_CONFIG_FIRST, _PROBE, _HERE, (_AUTH, _ENV)),
    _Row(_FIRST, _PROBE, _THERE, (_REMOTE,)),
    _Row(_FIRST, _PROBE, _THERE, (_ENV, _REMOTE, _AUTH), _PASSWORD),
    _Row(_CONFIG_FIRST, _PROBE, _THERE, (_ENV, _REMOTE), _PASSWORD),
    #
    _Row(_FIRST, _NODE_HOST, _HERE, (_ENV, _AUTH)),
    _Row(_FIRST, _NODE_HOST, _THERE, (_ENV, _REMOTE)),
    _Row(_SERVICE_KIND, _NODE_HOST, _THERE, (_ENV, _REMOTE, _AUTH)),
)


@cache
def order(
    version: Version, program: Program, mode: Mode, credential: Credential, in_service: bool
) -> tuple[Place, ...]:
    """Returns the places that a program looks at, in its order."""
    for row in reversed(_ROWS):
        if (
            row.program is program
            and row.mode in (None, mode)
            and row.credential in (None, credential)
            and row.since <= version
            and (in_service or not row.in_service)
        ):
            return row.order
    return ()


def takes_legacy_names(version: Version) -> bool:
    """Returns whether clients take the variables of the earlier name.

    The server never did; but while clients did, it followed no reference where one of them was set.
    """
    return version < _ONE_NAME


def is_content_with_call(version: Version, program: Program) -> bool:
    """Returns whether one secret from the caller makes a client look nowhere else.

    It then looks nowhere else even for the other one. The server and the terminal interface take
    each by itself; the probe took none at first.
    """
    return program is Program.CLI or (program is Program.PROBE and version >= _SPRING)


def knows_source_of_url(version: Version) -> bool:
    """Returns whether a client that is sent to another URL asks who says so.

    One from the environment goes with secrets from the environment, any other with those of the
    caller alone.
    """
    return version >= _SERVICE_KIND


def keeps_to_auth(version: Version) -> bool:
    """Returns whether a reference at ``gateway.auth.*`` hides ``gateway.remote.*``.

    It hides it from a client in local mode, as a value there does, wherever it leads.
    """
    return version >= _FAILS_CLOSED


def gives_proxy_password(version: Version) -> bool:
    """Returns whether a client behind a trusted proxy authenticates by a password.

    It does where there is one: it follows a reference to it, and takes none from
    ``gateway.remote.password``.
    """
    return version >= _STRICT


def needs_what_mode_states(version: Version) -> bool:
    """Returns whether a client follows a reference to the credential that the mode states.

    It does even where it finds the other one. Before, either sufficed.
    """
    return version >= _STRICT


def serves_proxy_password(version: Version) -> bool:
    """Returns whether the server behind a trusted proxy follows a reference to a password."""
    return version >= _PROXY_PASSWORD


def has_one_local_precedence(version: Version) -> bool:
    """Returns whether callers ask for one precedence in local mode, not one a credential."""
    return version >= _CONFIG_FIRST


def starts_on_env_before_reference(version: Version) -> bool:
    """Returns whether the server takes the variable before what ``gateway.auth.*`` refers to.

    Since then it takes no variable where it finds a reference.
    """
    return version < _CONFIG_FIRST


def starts_on_remote(version: Version) -> bool:
    """Returns whether the server also takes ``gateway.remote.*`` when it starts.

    Live requests with it are refused all the same.
    """
    return version >= _CONFIG_FIRST


def refuses_examples(version: Version) -> bool:
    """Returns whether the server refuses to start on one of the documentation's examples."""
    return version >= _SPRING


def refuses_blanks(version: Version) -> bool:
    """Returns whether the server refuses to start where the secret that it needs is blank."""
    return version >= _NO_BLANKS


def keeps_to_reference(version: Version) -> bool:
    """Returns whether the terminal interface, where it finds a reference, forgoes the variables."""
    return version >= _CONFIG_FIRST


def may_set_up_from_config(version: Version) -> bool:
    """Returns whether the terminal interface can forgo the variables while it sets things up.

    It does with ``OPENCLAW_TUI_SETUP_AUTH_SOURCE=config``.
    """
    return _SPRING <= version < _CONFIG_FIRST

"""What a policy in Python needs beside the generated types of the contract.

Modules:

- ``decision``: the decision as a policy builds it;
- ``precedence``: a ranking of locations, what wins, and what would win next;
- ``settings``: the deployment's settings, read as strictly as the Rust policies read theirs;
- ``snapshot``: the snapshot as a policy reads it, by name, with attributes and facts;
- ``text``: white space as Unicode has it.
"""

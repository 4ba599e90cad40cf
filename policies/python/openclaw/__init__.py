"""How OpenClaw's own programs resolve their gateway credentials, by version.

To understand precedence, read ``era``: it is the table of who looks where, in which order, since
when. Three sorts of programs walk it, each with its own way with references. The names of
locations, consumers and facts are those of the host's ``openclaw`` preset. Where this and the crate
``policies/openclaw`` differ, that one is right: it is tested against the releases themselves.

Modules:

- ``apart``: programs that get different secrets, where nothing is done about it;
- ``call``: what a caller may ask beside the usual order;
- ``client``: the command line, the probe and node hosts;
- ``environment``: where a program's variables come from: the process, files, a service;
- ``era``: the orders as data;
- ``holes``: which release is taken for granted;
- ``installation``: version and modes, read from a snapshot;
- ``names``: programs, places, modes, credentials;
- ``reader``: a program that looks: what stands at a place for it;
- ``resolve``: what a consumer gets, why, and what it would get next;
- ``server``: the gateway;
- ``tui``: the terminal interface;
- ``version``: OpenClaw's dates as versions.
"""

"""Where a program's environment comes from: the process, files that it reads, or a service.

A variable that is set is never replaced by a file's, even where it is empty; a blank one is
replaced by the configuration's own ``env``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdk.snapshot import Consumer, Location
from sdk.text import trim
from wit_world.exports.policy import Phase

from .names import Credential, Place, Program
from .version import Version

if TYPE_CHECKING:
    from .installation import Installation

# Since then no `OPENCLAW_*` is taken from a `.env` in the working directory.
_FILTERS_WORKING_DIRECTORY = Version(2026, 4, 0)
# Since then a service takes the variables that its unit calls managed from `.env`, and drops them
# where that has none.
_MANAGES_VARIABLES = Version(2026, 8, 2)

# What starts a program without a shell: the declared names of its own variables, without the
# credential.
Service = tuple[str, ...]

_GATEWAY: tuple[Service, ...] = (("unit",), ("system-unit",), ("plist", "service-env"))
_NODE: tuple[Service, ...] = (("node-unit",), ("node-plist", "node-service-env"))


def starter(installation: Installation, program: Program) -> Service | None:
    """Returns the service that starts a program, with variables of its own.

    None where this process is that service, for then its variables were observed as they are.
    """
    if program is Program.GATEWAY and installation.in_service:
        return None
    return _service(installation, program)


def environment(
    installation: Installation, consumer: Consumer, program: Program, credential: Credential
) -> list[Location]:
    """Returns the places at which a program finds the credential's variable, in order."""
    observed = installation.snapshot.consumer_attribute(consumer, "environment")
    if observed == "none":
        return []
    if observed == "process":
        return variables(installation, None, credential)
    service = starter(installation, program)
    places = variables(installation, service, credential)
    if (
        service is None
        and program is not Program.GATEWAY
        and _is_step_before_start(installation)
    ):
        own = credential.at(Place.ENV)
        places = [place for place in places if place.name != own]
    return places


def variables(
    installation: Installation, service: Service | None, credential: Credential
) -> list[Location]:
    """Returns the places at which a program finds the credential's variable.

    They are those of the service that starts it, or else of the process that was observed.
    """
    snapshot = installation.snapshot
    places: list[Location | None] = []
    if service is None:
        places.append(installation.location(credential.at(Place.ENV)))
        if installation.version < _FILTERS_WORKING_DIRECTORY:
            places.append(_variable(installation, "working-dotenv", credential))
    elif not _drops(installation, service, credential):
        places.extend(
            location
            for location in snapshot.locations
            if _defines(service, location, credential)
            and snapshot.location_attribute(location, "in-force") != "no"
        )
    places.append(_variable(installation, "dotenv", credential))
    if _reads_gateway_env(installation):
        places.append(_variable(installation, "gateway-env", credential))
    # What cannot be read is told by the host; what its readers make of it is not known.
    found = [place for place in places if place is not None and not place.is_unreadable]
    # What is set but blank keeps the files below it from being looked at.
    for index, place in enumerate(found):
        if not place.is_absent:
            if place.is_unset:
                del found[index + 1 :]
            break
    of = "token" if credential is Credential.TOKEN else "password"
    for name in (f"config.env-{of}", f"config.env-vars-{of}"):
        location = installation.location(name)
        if location is not None:
            found.append(location)
    return found


def _service(installation: Installation, program: Program) -> Service | None:
    """Returns the first service that is defined for a program: there should be one.

    None where only a shell starts it. A definition that names another state directory is another
    installation's.
    """
    if program is Program.GATEWAY:
        services = () if _is_of_another(installation) else _GATEWAY
    else:
        services = _NODE if program is Program.NODE_HOST else ()
    for service in services:
        for definition in service:
            own = _variable(installation, definition, Credential.TOKEN)
            # A drop-in without a unit starts nothing.
            if (
                own is not None
                and installation.snapshot.location_attribute(own, "file") != "absent"
            ):
                return service
    return None


def _is_of_another(installation: Installation) -> bool:
    """Returns whether the gateway's unit names another state directory or configuration.

    What it embeds is then not that of the configuration which was observed.
    """
    observed = _path(installation, "config-path")
    if observed is None:
        return False
    folder = observed.rpartition("/")[0] if "/" in observed else None
    named = _path(installation, "service-config-path")
    if named is not None:
        return named != observed
    named = _path(installation, "service-state-dir")
    if named is not None:
        return named != folder
    # It names none, so it takes the usual one; this process was told another.
    fact = installation.snapshot.fact
    told = fact("state-dir") is not None or fact("config-variable") is not None
    usual = _path(installation, "usual-state-dir")
    return told and not installation.in_service and usual is not None and usual != folder


def _path(installation: Installation, name: str) -> str | None:
    path = installation.snapshot.fact(name)
    return None if path is None else path.rstrip("/")


def _is_step_before_start(installation: Installation) -> bool:
    """Returns whether this process runs inside the gateway's service just before it starts.

    Its variables are then the gateway's alone, and nobody else's are known.
    """
    phase = installation.snapshot.phase
    return installation.in_service and phase in (Phase.START, Phase.RESTART)


def _defines(service: Service, location: Location, credential: Credential) -> bool:
    """Returns whether a place in a service's definition could set a credential's variable."""
    definition, dot, of = location.declared_name.partition(".")
    return dot != "" and of == credential.value and definition in service


def _variable(
    installation: Installation, file: str, credential: Credential
) -> Location | None:
    return installation.location(f"{file}.{credential.value}")


def _reads_gateway_env(installation: Installation) -> bool:
    """Returns whether programs read ``~/.config/openclaw/gateway.env``.

    They do not where another state directory is named.
    """
    return (
        installation.version >= _FILTERS_WORKING_DIRECTORY
        and installation.snapshot.fact("state-dir") is None
    )


def _drops(installation: Installation, service: Service, credential: Credential) -> bool:
    """Returns whether the gateway drops, when it starts, what its unit says of the variable.

    It does where that is called managed, and the configuration does not refer to it.
    """
    if installation.version < _MANAGES_VARIABLES or service not in _GATEWAY:
        return False
    keys = installation.snapshot.fact("service-managed-keys") or ""
    if all(trim(key) != credential.key for key in keys.split(",")):
        return False
    for place in (Place.AUTH, Place.REMOTE):
        location = installation.location(credential.at(place))
        if location is not None and location.reference is not None:
            if location.reference.target == credential.key:
                return False
    return True

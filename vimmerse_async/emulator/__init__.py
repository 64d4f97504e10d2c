"""A local server that speaks the contract of the Vimmerse API, for work without key or network.

`Emulator` runs it, `Limits` and `Fault` say how it behaves. It shares no code with the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vimmerse_async.emulator.behaviour.faults import Fault
    from vimmerse_async.emulator.behaviour.latency import Latency
    from vimmerse_async.emulator.behaviour.limits import Limits
    from vimmerse_async.emulator.server import Emulator

__all__ = ["Emulator", "Fault", "Latency", "Limits"]

_HOMES = {
    "Emulator": "server",
    "Fault": "behaviour.faults",
    "Latency": "behaviour.latency",
    "Limits": "behaviour.limits",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""Which process it is: a number that no other has.

Process ids repeat on other machines and in containers, where each web worker may be number 1. This
one ends in the process id, for people; what is before it is drawn anew in each process.
"""

import os
import secrets

_BITS = 32


def _draw() -> None:
    global _this  # noqa: PLW0603 - there is but one process
    _this = secrets.randbits(_BITS) << _BITS | os.getpid()


_this = 0
_draw()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw)


def this_process() -> int:
    """Return this process' number; a fork's is another."""
    return _this


def pid_of(process: int) -> int:
    """Return the process id, as the process itself knows it."""
    return process & ((1 << _BITS) - 1)

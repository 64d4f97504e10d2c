"""What a fork must not keep alive: a lock or a connection lives on in the child otherwise.

In the child each descriptor is put on `/dev/null`, and not closed: whoever still has its number, an
object that the child inherited, may close it later without harm.
"""

import os

from vimmerse_async import system

_open: set[int] = set()


def guard(descriptor: int) -> None:
    """Let go of a descriptor in children from now on."""
    _open.add(descriptor)


def release(descriptor: int) -> None:
    """Forget a descriptor that is going to be closed."""
    _open.discard(descriptor)


def _let_go() -> None:
    if not _open:
        return
    nothing = os.open(os.devnull, system.flags("RDWR", "CLOEXEC"))
    for descriptor in _open:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

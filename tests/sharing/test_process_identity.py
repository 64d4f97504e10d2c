"""Processes are told apart where process ids repeat."""

import os

from vimmerse_async.sharing.identity import pid_of, this_process


def test_a_fork_is_another_process() -> None:
    """Parent and child have numbers of their own, which end in their process ids."""
    before = this_process()
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(send, str(this_process()).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as said:
        there = int(said.read())
    os.waitpid(child, 0)
    assert this_process() == before
    assert pid_of(before) == os.getpid()
    assert pid_of(there) == child
    assert there >> 32 != before >> 32

"""Which clock a session reads: the loop's own, by the shortest way there is."""

import asyncio
import time

import pytest
from virtual_time import VirtualTimeLoop

from vimmerse_async.loops import clock_of


@pytest.fixture
def plain_loop():
    loop = asyncio.SelectorEventLoop()
    yield loop
    loop.close()


def test_asyncios_own_loop_reads_the_systems_clock(plain_loop):
    """Where the loop would ask the system, the system is asked."""
    assert clock_of(plain_loop) is time.monotonic


def test_a_loop_with_a_clock_of_its_own_keeps_it(plain_loop):
    """A loop that makes its time itself is believed, by its class or by an attribute of its own."""
    virtual = VirtualTimeLoop()
    assert clock_of(virtual)() == virtual.time()
    virtual.close()
    plain_loop.time = lambda: 5.0
    assert clock_of(plain_loop)() == 5.0


def test_a_frozen_clock_is_never_kept(plain_loop, monkeypatch):
    """While somebody stands in for the system's clock the loop is asked, so that it may thaw."""
    with monkeypatch.context() as frozen:
        frozen.setattr(time, "monotonic", lambda: -1.0)
        clock = clock_of(plain_loop)
    before = time.monotonic()
    assert before <= clock() <= time.monotonic()

"""What every test gets: a loop, no network beyond this machine, and nothing left behind."""

import asyncio
import gc
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # what is new is found by people, who can mend it
)
settings.load_profile("patient")

# A shell starts what it runs with `&` deaf to Ctrl-C, and so would be the processes of tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DESCRIPTORS = Path("/proc/self/fd")


def _is_here(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode("latin-1")
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guard(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo" and not _is_here(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, "tests resolve no names")
    if (
        event in {"socket.connect", "socket.sendto"}
        and isinstance(args[1], tuple)
        and not _is_here(args[1][0])
    ):
        raise AssertionError(f"a test wants to reach {args[1]}")


sys.addaudithook(_guard)


SENTINEL = "S3NT1NEL5e8a77"
"""A part of every key that the tests of the client use."""


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at once than there are cores: half of their time is spent waiting."""
    cores = os.cpu_count() or 1
    return min(2 * cores, max(cores, 4))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """Fail every test that shows the key on stdout, on stderr or in a log."""
    report = yield
    shown = [name for name, text in report.sections if SENTINEL in text]
    if shown and report.outcome == "passed":
        report.outcome = "failed"
        report.longrepr = f"the key is in the {', '.join(shown)}"
    return report


@pytest.fixture(autouse=True)
def no_key_in_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail every test that leaves the key in a file: a journal, an output, a temporary one."""
    if "tmp_path" not in request.fixturenames:
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 2**24:
            assert SENTINEL.encode() not in path.read_bytes(), path


@pytest.fixture
def anyio_backend() -> str:
    """The product is asyncio-first: its tests run on asyncio."""
    return "asyncio"


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail when a task outlives the test and its fixtures."""
    before = asyncio.all_tasks()
    yield
    for _ in range(100):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"tasks are left: {left}")


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail when a descriptor, thread or task outlives the test and its fixtures."""
    before = _descriptors(), set(threading.enumerate())
    if request.node.get_closest_marker("anyio"):
        request.getfixturevalue("no_task_left")
    yield
    until = time.monotonic() + 2
    while left := _left(*before):
        if time.monotonic() > until:
            pytest.fail(f"left open: {left}")
        gc.collect()
        time.sleep(0.01)


def _left(descriptors: dict[int, str], threads: set[threading.Thread]) -> list[object]:
    opened = [f"{fd} {name}" for fd, name in _descriptors().items() if descriptors.get(fd) != name]
    return [*opened, *(set(threading.enumerate()) - threads)]


def _descriptors() -> dict[int, str]:
    found = {}
    for each in DESCRIPTORS.iterdir() if DESCRIPTORS.is_dir() else ():
        try:
            found[int(each.name)] = str(each.readlink())
        except OSError:
            continue  # the listing's own descriptor
    return found

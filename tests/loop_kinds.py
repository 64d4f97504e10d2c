"""Every kind of event loop that a session may run in: plain, in debug mode, uvloop, eager tasks."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

with contextlib.suppress(ImportError):
    import uvloop

    uvloop.run(asyncio.sleep(0))  # the first one opens a pipe that stays


def _uvloop() -> asyncio.AbstractEventLoop:
    return pytest.importorskip("uvloop").new_event_loop()


def _eager() -> asyncio.AbstractEventLoop:
    if sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "debug": asyncio.new_event_loop,
    "uvloop": _uvloop,
    "eager": _eager,
}


def run(kind: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run something in a loop of a kind; what the loop complains of fails it."""
    noise: list[Any] = []

    async def quietly() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        await main()

    with asyncio.Runner(loop_factory=LOOPS[kind], debug=kind == "debug") as runner:
        runner.run(quietly())
    assert not noise

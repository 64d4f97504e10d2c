"""What one call costs, counted: own frames above aiohttp, own Python calls per request."""

import asyncio
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import aiohttp
import pytest
from wire_kit import OpenLimit

import vimmerse_async
from vimmerse_async import RetryPolicy, image_2_prompt, refine_prompt, suggest_prompt, text_prompt
from vimmerse_async.control import AdaptiveLimit

HOME = str(Path(vimmerse_async.__file__).parent)
AIOHTTP = str(Path(aiohttp.__file__).parent)
CALLS = {
    "refine": lambda session: refine_prompt(session, "Nike shoes"),
    "image": lambda session: image_2_prompt(session, "https://a.example/1.png"),
    "suggest": suggest_prompt,
    "text": lambda session: text_prompt(session, option="InspireMe", prompt="Nike shoes"),
}

CHECKS = {"refine": 1, "text": 2}
"""Calls that look through more than an address."""


def is_own(code: CodeType) -> bool:
    return code.co_filename.startswith(HOME)


def frames_of(task: asyncio.Task[Any]) -> list[CodeType]:
    """Return the code of everything that waits in a task, outermost first."""
    found, waiting = [], task.get_coro()
    while waiting is not None:
        for kind in ("cr", "gi"):
            if hasattr(waiting, f"{kind}_code"):
                found.append(getattr(waiting, f"{kind}_code"))
                waiting = getattr(waiting, f"{kind}_await", getattr(waiting, "gi_yieldfrom", None))
                break
        else:
            waiting = None
    return found


@pytest.mark.parametrize("ask", CALLS.values(), ids=CALLS)
async def test_frames_that_wait(ask, serve, connect):
    """While a server thinks, the route and one frame more wait for it on a warm connection."""
    server = await serve("ok", "hang")
    session = await connect(server, retry=RetryPolicy(max_attempts=1))
    await ask(session)
    call = asyncio.ensure_future(ask(session))
    while len(server.requests) < 2:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    names = [code.co_qualname for code in frames_of(call) if is_own(code)]
    assert len(names) == 2, names
    assert names[-1] == "VimmerseSession.send"
    call.cancel()
    await asyncio.wait([call])


@pytest.mark.parametrize(("limit", "most"), [(OpenLimit, 19), (AdaptiveLimit, 30)])
@pytest.mark.parametrize("name", CALLS)
async def test_python_calls(name, limit, most, serve, connect):
    """A request on a warm connection makes at most 19 Python calls of ours, and none of aiohttp's.

    What learns the limit makes 11 more; the parser's own, if it is in Python, do not count. Plain
    aiohttp makes 147.
    """
    ask, most = CALLS[name], most + CHECKS.get(name, 0)
    session = await connect(await serve(), hooks=(), limit=limit())
    for _ in range(3):
        await ask(session)
    ours: list[str] = []
    theirs: list[str] = []

    def count(frame: FrameType, event: str, _: object) -> None:
        called = frame.f_code.co_qualname
        swept = called.startswith(("Deadlines._sweep", "Deadlines._arm"))  # one for all requests
        if event == "call" and is_own(frame.f_code) and is_new(frame) and not swept:
            ours.append(called)
        elif event == "call" and frame.f_code.co_filename.startswith(AIOHTTP):
            theirs.append(called)

    sys.setprofile(count)
    try:
        await ask(session)
    finally:
        sys.setprofile(None)
    assert len(ours) <= most, ours
    assert theirs == []
    assert "Lines.take" in ours


def is_new(frame: FrameType) -> bool:
    """Return whether a frame is called, not gone on with after waiting."""
    return frame.f_lasti <= FIRST.get(frame.f_code, first_of(frame.f_code))


FIRST: dict[CodeType, int] = {}


def first_of(code: CodeType) -> int:
    """Return the offset of the instruction at which every call of a function begins."""
    import dis

    at = next(each.offset for each in dis.get_instructions(code) if each.opname == "RESUME")
    FIRST[code] = at
    return at

"""The same session on every kind of event loop: plain, in debug mode, uvloop, eager tasks."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from drawn import RED, encoded, solid
from loop_kinds import LOOPS, run
from scripted_server import NEVER, Answer, ScriptedServer, echo

from vimmerse_async import (
    APITimeoutError,
    PromptJournal,
    RetryPolicy,
    SessionError,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    image_2_prompt,
    stream_prompts,
    upload_image,
)

URL = "https://a.example/1"


def script(request: Any) -> Answer:
    """Answer late where the name says so, never, or at once."""
    if request.name == "never":
        return NEVER
    return Answer(value=f"about {request.name}", delay=0.001 if request.name[-1] in "369" else 0.0)


async def _calls(server: ScriptedServer) -> None:
    async with server.session(limit=8) as session:
        prompts = await asyncio.gather(
            *(image_2_prompt(session, f"https://a.example/{n}") for n in range(40))
        )
        assert prompts == [f"about {n}" for n in range(40)]
    assert server.most_in_flight <= 8


async def _batches(server: ScriptedServer) -> None:
    async def rows() -> AsyncIterator[str]:
        for number in range(100):
            await asyncio.sleep(0)
            yield f"https://a.example/{number}"

    async with server.session() as session:
        assert len(await gather_prompts(session, rows())) == 100
        assert len(await gather_prompts(session, [URL] * 300)) == 300
        async with stream_prompts(session, rows(), ordered=True) as results:
            async for result in results:
                if result.index == 50:
                    break
        assert session.gate.in_flight == session.gate.waiting == 0


async def _retries(server: ScriptedServer) -> None:
    statuses = iter([429, 500, 200, 503, 200, 200])
    server.script = lambda request: (
        echo(request) if (status := next(statuses)) == 200 else Answer(status, {})
    )
    async with server.session(limit=4, retry=RetryPolicy(backoff_base=0.01)) as session:
        assert await gather_prompts(session, [URL] * 3) == ["about 1"] * 3


async def _cancellations(server: ScriptedServer) -> None:
    async with server.session(limit=4) as session:
        for steps in range(12):
            call = asyncio.create_task(image_2_prompt(session, "https://a.example/never"))
            batch = asyncio.create_task(gather_prompts(session, ["https://a.example/never"] * 9))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            batch.cancel()
            await asyncio.wait([call, batch])
            assert call.cancelled()
            assert batch.cancelled()
            assert session.gate.in_flight == session.gate.waiting == 0


async def _deadlines(server: ScriptedServer) -> None:
    async with server.session(timeouts=Timeouts(attempt=0.1, total=0.15)) as session:
        with pytest.raises(APITimeoutError):
            await image_2_prompt(session, "https://a.example/never")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await image_2_prompt(session, "https://a.example/never")


async def _closing(server: ScriptedServer) -> None:
    async with server.session(limit=4) as session:
        calls = [asyncio.create_task(image_2_prompt(session, "https://a.example/never"))
                 for _ in range(9)]  # fmt: skip
        batch = asyncio.create_task(
            gather_prompts(session, ["https://a.example/never"] * 50, return_exceptions=True)
        )
        await asyncio.sleep(0.05)
    outcomes = await asyncio.gather(*calls, batch, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:9]] == [SessionError] * 9
    assert isinstance(outcomes[9], Exception)


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize(
    "scene", [_calls, _batches, _retries, _cancellations, _deadlines, _closing]
)
def test_D18_session_on_any_loop(
    kind: str, scene: Callable[[ScriptedServer], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Calls, batches, retries, cancellation, deadlines and closing work, and nothing complains."""

    async def main() -> None:
        async with ScriptedServer(script) as server:
            await scene(server)

    with caplog.at_level(logging.WARNING):
        run(kind, main)
    complaints = [each.getMessage() for each in caplog.records]
    assert not [each for each in complaints if not each.startswith("Executing")]


def _entered(session: VimmerseSession, _folder: Path) -> Coroutine[Any, Any, Any]:
    return VimmerseSession("test-key", base_url=session.base_url).__aenter__()


def _opened(_session: VimmerseSession, folder: Path) -> Coroutine[Any, Any, Any]:
    return PromptJournal(folder / "run.db").__aenter__()


def _called(session: VimmerseSession, _folder: Path) -> Coroutine[Any, Any, Any]:
    return image_2_prompt(session, URL)


def _uploaded(session: VimmerseSession, _folder: Path) -> Coroutine[Any, Any, Any]:
    return upload_image(session, encoded(solid(RED)))


def _gathered(session: VimmerseSession, _folder: Path) -> Coroutine[Any, Any, Any]:
    return gather_prompts(session, [URL])


def _closed(session: VimmerseSession, _folder: Path) -> Coroutine[Any, Any, Any]:
    return session.aclose()


@pytest.mark.parametrize("begin", [_entered, _opened, _called, _uploaded, _gathered, _closed])
async def test_D18_outside_of_asyncio(
    server: ScriptedServer,
    tmp_path: Path,
    begin: Callable[[VimmerseSession, Path], Coroutine[Any, Any, Any]],
) -> None:
    """Where another library drives the coroutine, the error names asyncio, and nothing is sent."""

    def drive() -> None:
        coroutine = begin(session, tmp_path)
        with contextlib.closing(coroutine), pytest.raises(SessionError, match=r"asyncio\.run"):
            coroutine.send(None)
        assert not list(tmp_path.iterdir())

    async with server.session(limit=1) as session:
        await asyncio.to_thread(drive)
        assert not server.requests
        assert session.gate.in_flight == 0
        assert await image_2_prompt(session, URL) == "about 1"

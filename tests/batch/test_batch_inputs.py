"""What a batch takes in, and what becomes of rows that cannot be sent."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from scripted_server import ScriptedServer

from vimmerse_async import (
    BatchError,
    InvalidRequestError,
    InvalidURLError,
    PromptMode,
    PromptOption,
    PromptRequest,
    PromptResult,
    gather_prompts,
    stream_prompts,
)


def urls(count: int) -> list[str]:
    return [f"https://a.example/{number}" for number in range(count)]


async def later(rows: Any, pause: float = 0.0) -> AsyncIterator[Any]:
    for row in rows:
        await asyncio.sleep(pause)
        yield row


class Countdown:
    """An async iterator that is no generator."""

    def __init__(self, rows: list[str]) -> None:
        self._rows = iter(rows)

    def __aiter__(self) -> "Countdown":
        return self

    async def __anext__(self) -> str:
        try:
            return next(self._rows)
        except StopIteration:
            raise StopAsyncIteration from None


KINDS = {
    "list": lambda rows: rows,
    "tuple": tuple,
    "generator": lambda rows: (row for row in rows),
    "map": lambda rows: map(str, rows),
    "dict keys": lambda rows: dict.fromkeys(rows).keys(),
    "async generator": later,
    "slow async generator": lambda rows: later(rows, 0.5),
    "async iterator": Countdown,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3, 40])
async def test_C13_batch_takes_any_iterable(server: ScriptedServer, kind: str, count: int) -> None:
    """Any iterable or async iterable of rows is asked once each and answered in its order."""
    async with server.session(limit=4) as session:
        prompts = await gather_prompts(session, KINDS[kind](urls(count)))
    assert prompts == [f"about {number}" for number in range(count)]
    assert sorted(server.names, key=int) == [str(number) for number in range(count)]


@pytest.mark.parametrize("kind", KINDS)
async def test_batch_streams_any_iterable(server: ScriptedServer, kind: str) -> None:
    """A stream delivers each row of any iterable once, with its index and its input."""
    rows = urls(30)
    async with (
        server.session(limit=4) as session,
        stream_prompts(session, KINDS[kind](rows)) as results,
    ):
        seen = [(result.index, result.request, result.prompt) async for result in results]
    assert sorted(seen) == [(i, row, f"about {i}") for i, row in enumerate(rows)]


@pytest.mark.parametrize("inputs", ["https://a.example/1", b"https://a.example/1", None, 5])
async def test_C12_batch_refuses_what_is_no_list(server: ScriptedServer, inputs: Any) -> None:
    """One bare string, or nothing iterable, is a TypeError before anything is sent."""
    async with server.session() as session:
        with pytest.raises(TypeError, match="inputs must be an iterable"):
            await gather_prompts(session, inputs)
        with pytest.raises(TypeError, match="inputs must be an iterable"):
            stream_prompts(session, inputs)
    assert not server.requests


async def test_C11_batch_bad_rows_fail_alone(server: ScriptedServer) -> None:
    """A row that cannot be sent fails with its index, costs nothing, and harms no other."""
    rows: list[Any] = urls(6)
    rows[1] = "http://a.example/plain"
    rows[3] = 17
    rows[5] = PromptRequest("RefinePrompt")
    async with server.session(limit=2) as session:
        answers = await gather_prompts(session, rows, return_exceptions=True)
    assert [type(answer) for answer in answers] == [
        str, InvalidURLError, str, InvalidRequestError, str, InvalidRequestError,
    ]  # fmt: skip
    bad = [answer for answer in answers if isinstance(answer, InvalidRequestError)]
    assert [(error.index, error.field) for error in bad] == [
        (1, "image_url"), (3, "inputs"), (5, "prompt"),
    ]  # fmt: skip
    assert "row 3" in str(bad[1])
    assert sorted(server.names) == ["0", "2", "4"]


async def test_batch_of_bad_rows_only(server: ScriptedServer) -> None:
    """Rows that cannot be sent are told one by one, and nothing is sent."""
    rows = (f"ftp://a.example/{number}" for number in range(5_000))
    async with server.session(limit=4) as session, stream_prompts(session, rows) as results:
        failed = 0
        async for result in results:
            assert isinstance(result.error, InvalidURLError)
            assert result.error.index == result.index
            failed += 1
    assert failed == 5_000
    assert not server.requests


@pytest.mark.parametrize("gather", [True, False])
async def test_batch_of_endless_bad_rows_can_be_cancelled(
    server: ScriptedServer, gather: bool
) -> None:
    """Rows that are never sent do not keep the loop from anything else."""

    def endless() -> Iterator[str]:
        while True:
            yield "no URL"

    async def drain() -> None:
        async with server.session(limit=4) as session:
            if gather:
                await gather_prompts(session, endless())
            async with stream_prompts(session, endless()) as results:
                async for _ in results:
                    pass

    task = asyncio.create_task(drain())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("count", [10_000, pytest.param(200_000, marks=pytest.mark.full)])
async def test_batch_many_rows(server: ScriptedServer, count: int) -> None:
    """Every one of very many rows, sent or not, is answered once and in order."""
    rows = (f"https://a.example/{n}" if n % 100 == 0 else "nothing" for n in range(count))
    async with server.session(limit=16) as session:
        answers = await gather_prompts(session, rows, return_exceptions=True)
    assert [type(answer) is str for answer in answers] == [n % 100 == 0 for n in range(count)]
    assert len(server.requests) == count // 100


@pytest.mark.parametrize(
    ("options", "row", "path", "fields"),
    [
        (
            {}, "https://a.example/1", "/v2/text/image-2-prompt",
            {"image_url": "https://a.example/1"},
        ),
        (
            {"option": PromptOption.REFINE_PROMPT}, "red shoes", "/v2/text/refine-prompt",
            {"prompt": "red shoes"},
        ),
        (
            {"mode": "video"}, "https://a.example/1", "/v2/text/prompt",
            {"option": "Image2Prompt", "image_url": "https://a.example/1", "mode": "video"},
        ),
        (
            {"option": "RefinePrompt", "mode": PromptMode.AUDIO}, "a song", "/v2/text/prompt",
            {"option": "RefinePrompt", "prompt": "a song", "mode": "audio"},
        ),
        (
            {"option": "RefinePrompt", "prompt": "on a table"}, "https://a.example/1",
            "/v2/text/prompt",
            {
                "option": "RefinePrompt", "prompt": "on a table",
                "image_url": "https://a.example/1",
            },
        ),
        (
            {"mode": "video", "prompt": "unused"},
            PromptRequest("SuggestPrompt", tag="mine"), "/v2/text/prompt",
            {"option": "SuggestPrompt"},
        ),
    ],
)  # fmt: skip
async def test_batch_row_meaning(
    server: ScriptedServer, options: Any, row: Any, path: str, fields: Any
) -> None:
    """A string means what option, prompt and mode say; a PromptRequest goes as it stands."""
    async with server.session() as session:
        await gather_prompts(session, [row], **options)
    (request,) = server.requests
    assert (request.path, request.fields) == (path, fields)


async def test_batch_does_not_refine_urls(server: ScriptedServer) -> None:
    """Nobody pays to refine a URL's spelling: the row fails and names the mend."""
    async with server.session() as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, ["HTTPS://a.example/1", "a cat"], option="RefinePrompt")
    (row,) = caught.value.failures
    assert row.index == 0
    assert "IMAGE_2_PROMPT" in str(row.error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"option": "SuggestPrompt"}, "option"), ({"option": "Nonsense"}, "option"),
        ({"mode": "smell"}, "mode"), ({"prompt": " "}, "prompt"), ({"prompt": 5}, "prompt"),
    ],
)  # fmt: skip
async def test_batch_refuses_options_that_fit_no_row(
    server: ScriptedServer, options: Any, field: str
) -> None:
    """An argument that no row can be sent with is refused at once and named."""
    async with server.session() as session:
        with pytest.raises(InvalidRequestError) as caught:
            await gather_prompts(session, urls(3), **options)
    assert caught.value.field == field
    assert not server.requests


async def test_batch_rows_keep_their_tags(server: ScriptedServer) -> None:
    """A tag comes back on its result, whatever it is, and is not sent."""
    marks = [object(), {"row": 1}, None]
    rows = [PromptRequest("Image2Prompt", image_url=url, tag=tag)
            for url, tag in zip(urls(3), marks, strict=True)]  # fmt: skip
    seen: list[PromptResult] = []
    async with server.session() as session:
        await gather_prompts(session, rows, on_result=seen.append)
    assert [row.tag for row in sorted(seen, key=lambda row: row.index)] == marks
    assert all("tag" not in request.fields for request in server.requests)


@pytest.mark.parametrize("on_result", [5, asyncio.sleep])
async def test_batch_on_result_is_a_plain_function(server: ScriptedServer, on_result: Any) -> None:
    """A callback that could never run, or whose coroutine nobody awaits, is a TypeError."""
    async with server.session() as session:
        with pytest.raises(TypeError, match="on_result"):
            await gather_prompts(session, urls(1), on_result=on_result)
        with pytest.raises(TypeError, match="on_result"):
            stream_prompts(session, urls(1), on_result=on_result)
    assert not server.requests


async def test_C13_batch_rows_are_not_kept(server: ScriptedServer) -> None:
    """A stream of 20,000 rows never holds more rows and results than its window."""

    class Row(str):
        __slots__ = ()

    def alive(kind: type) -> int:
        gc.collect()
        return sum(type(thing) is kind for thing in gc.get_objects())

    rows = (Row(f"https://a.example/{n}" if n % 20 == 0 else "x") for n in range(20_000))
    most = 0
    async with server.session(limit=8) as session, stream_prompts(session, rows) as results:
        async for result in results:
            if result.index % 9_000 == 500:
                most = max(most, alive(PromptResult), alive(Row), alive(asyncio.Task))
    assert 0 < most <= 8 + 16 + 10

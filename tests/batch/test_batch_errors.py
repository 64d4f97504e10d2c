"""What a failed or stopped batch tells: every row, why, and how to go on."""

import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
from scripted_server import Answer, Request, ScriptedServer, echo, slow

from vimmerse_async import (
    AuthenticationError,
    BadRequestError,
    BatchError,
    BatchStoppedError,
    InsufficientCreditsError,
    InternalServerError,
    InvalidURLError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    gather_prompts,
    stream_prompts,
)


def urls(count: int) -> list[str]:
    return [f"https://a.example/{number}" for number in range(count)]


def failing(answers: dict[str, Answer]) -> Any:
    return lambda request: answers.get(request.name) or echo(request)


async def read(stream: Any, into: list[Any]) -> None:
    """Read a stream to its end, keeping what came before an error."""
    async with stream as results:
        async for result in results:
            into.append(result)  # noqa: PERF401 - what came before an error is wanted


async def test_D20_batch_error_holds_every_row(server: ScriptedServer) -> None:
    """Every row is tried; then one BatchError has them all, the failures and their counts."""
    server.script = failing({
        "1": Answer(400, {"message": "no such picture"}),
        "3": Answer(404, {"message": "gone"}),
        "4": Answer(400, {"message": "too large"}),
        "6": Answer(400, {"message": "animated"}),
    })  # fmt: skip
    rows = [*urls(7), "ftp://a.example/7"]
    async with server.session(limit=3) as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, rows)
    error = caught.value
    assert not isinstance(error, BatchStoppedError)
    assert [row.index for row in error.results or ()] == list(range(8))
    assert [row.index for row in error.failures] == [1, 3, 4, 6, 7]
    assert error.counts == {"BadRequestError": 3, "NotFoundError": 1, "InvalidURLError": 1}
    text = str(error)
    assert text.startswith("5 of 8 rows failed: 3 BadRequestError")
    assert "row 1: BadRequestError: HTTP 400: no such picture" in text
    assert text.count("\n  row ") == 3
    assert "row 6" not in text


async def test_batch_error_pickles(server: ScriptedServer) -> None:
    """A BatchError and all its rows survive pickling, words and numbers the same."""
    server.script = failing({"1": Answer(400, {"message": "no such picture"})})
    async with server.session() as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, [*urls(3), "nothing"])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is BatchError
    assert str(copy) == str(caught.value)
    assert copy.counts == caught.value.counts
    assert [(row.index, row.prompt, str(row.error)) for row in copy.results] == [
        (row.index, row.prompt, str(row.error)) for row in caught.value.results or ()
    ]


async def test_batch_return_exceptions(server: ScriptedServer) -> None:
    """With return_exceptions each failed row's error stands in its place."""
    server.script = failing({"1": Answer(404, {"message": "gone"})})
    async with server.session() as session:
        answers = await gather_prompts(session, [*urls(3), "nothing"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, NotFoundError, str, InvalidURLError]


async def test_batch_row_history(server: ScriptedServer) -> None:
    """A row tells its attempts, its seconds since the first send, and what it may have cost."""
    sends: dict[str, int] = {}

    def script(request: Request) -> Answer:
        sends[request.name] = sends.get(request.name, 0) + 1
        if request.name == "1" and sends["1"] < 3:
            return Answer(500, {"message": "try again"}, delay=1.0)
        if request.name == "2" and sends["2"] < 2:
            return Answer(200, value="", delay=1.0)
        if request.name == "3":
            return Answer(502, {"message": "who knows"}, delay=1.0)
        return slow(0.9)(request)

    server.script = script
    rows: list[Any] = []
    async with server.session(limit=4, retry=RetryPolicy(backoff_base=0.0)) as session:
        await read(stream_prompts(session, urls(4), ordered=True), rows)
        assert session.statistics().possibly_charged == 3
    assert [(row.ok, row.attempts, row.possibly_charged) for row in rows] == [
        (True, 1, 0), (True, 3, 0), (True, 2, 1), (False, 2, 2),
    ]  # fmt: skip
    assert [round(row.elapsed) for row in rows] == [1, 3, 2, 2]
    assert isinstance(rows[3].error, InternalServerError)
    assert (rows[3].error.attempts, rows[3].error.possibly_charged) == (2, 2)


STOPS = {
    "auth": (Answer(401, {"message": "who are you?"}), AuthenticationError),
    "credits": (Answer(402, {"message": "no credits"}), InsufficientCreditsError),
}


@pytest.mark.parametrize("reason", STOPS)
@pytest.mark.parametrize("gather", [True, False])
async def test_B30_batch_stops_at_credentials(
    server: ScriptedServer, reason: str, gather: bool
) -> None:
    """A 401 or 402 ends the dispatch at once: no million errors; what flies is delivered."""
    answer, kind = STOPS[reason]
    server.script = lambda request: answer if len(server.requests) == 20 else slow(1.0)(request)
    seen: list[Any] = []
    async with server.session(limit=4) as session:
        batch = (
            gather_prompts(session, urls(1_000), return_exceptions=True)
            if gather
            else read(stream_prompts(session, urls(1_000)), seen)
        )
        with pytest.raises(BatchStoppedError) as caught:
            await batch
    error = caught.value
    assert (error.reason, error.resume_after) == (reason, None)
    assert error.resume_hint
    assert (error.results is None) == (not gather)
    rows = list(error.results or ()) if gather else seen
    assert 20 <= len(server.requests) <= 24
    assert len(rows) == len(server.requests)
    assert error.not_attempted == 1_000 - len(rows)
    (failed,) = [row for row in rows if not row.ok]
    assert type(failed.error) is kind
    if gather:
        assert [row.index for row in rows] == sorted(row.index for row in rows)
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.reason, copy.not_attempted, str(copy)) == (
            reason, error.not_attempted, str(error),
        )  # fmt: skip


async def test_batch_stops_where_the_key_is_forbidden(server: ScriptedServer) -> None:
    """Three 403s without a success between them stop a batch whose key was never answered."""
    server.script = lambda _: Answer(403, {"message": "no"})
    async with server.session(limit=1) as session:
        with pytest.raises(BatchStoppedError) as stopped:
            await gather_prompts(session, urls(10))
    assert stopped.value.reason == "permission"
    assert len(server.requests) == 3
    assert stopped.value.not_attempted == 7
    assert [type(row.error) for row in stopped.value.failures] == [PermissionDeniedError] * 3


async def test_a_403_after_answers_is_a_refusal(server: ScriptedServer) -> None:
    """A key that was answered is asked again after a 403; a row that always meets one fails alone.

    A gateway in front of the service says 403 to who is too fast, whatever the key.
    """
    forbidden = Answer(403, {"message": "too fast"})

    def script(request: Request) -> Answer:
        count = len(server.requests)
        refused = request.name == "7" or (count > 3 and count % 2)
        return forbidden if refused else echo(request)

    server.script = script
    async with server.session(limit=1) as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, urls(10))
        statistics = session.statistics()
    assert not isinstance(caught.value, BatchStoppedError)
    assert [row.index for row in caught.value.failures] == [7]
    assert caught.value.counts == {"PermissionDeniedError": 1}
    assert statistics.refused > 5
    assert statistics.retried == 0


@pytest.mark.parametrize(
    ("answer", "reason", "kind"),
    [
        (Answer(429, {}, {"Retry-After": "601"}), "throttled", RateLimitError),
        (Answer(503, {}, {"Retry-After": "3600"}), "unavailable", InternalServerError),
    ],
)
async def test_batch_told_to_wait_too_long(
    server: ScriptedServer, answer: Answer, reason: str, kind: type
) -> None:
    """A batch told to wait for more than 600 s stops and says when to come back."""
    server.script = lambda request: answer if len(server.requests) > 10 else echo(request)
    async with server.session(limit=2) as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(100))
    error = caught.value
    assert error.reason == reason
    assert error.resume_after == float(answer.headers["Retry-After"])
    assert f"asks to wait {error.resume_after:,.0f} s: HTTP {answer.status}" in error.in_words()
    rows = list(error.results or ())
    assert sum(row.ok for row in rows) == 10
    assert {type(row.error) for row in rows if not row.ok} == {kind}
    assert error.not_attempted + len(rows) == 100
    assert len(server.requests) <= 12


async def test_batch_sized_and_unsized(server: ScriptedServer) -> None:
    """Rows never taken are counted where the input tells its size, else only rows taken."""

    async def later() -> AsyncIterator[str]:
        for url in urls(50):
            yield url

    server.script = lambda request: Answer(401, {})
    async with server.session(limit=2) as session:
        for inputs, left in ((urls(50), 49), (iter(urls(50)), 0), (later(), 0)):
            with pytest.raises(BatchStoppedError) as caught:
                await gather_prompts(session, inputs)
            rows = len(caught.value.results or ())
            assert left - 1 <= caught.value.not_attempted <= left + 2
            assert rows <= 2


async def test_batch_stop_waits_for_what_flies(server: ScriptedServer) -> None:
    """After a stop the requests in flight end by themselves and are delivered, retries apart."""
    answers = {"0": Answer(401, {}), "1": Answer(500, {"message": "oops"}, delay=2.0)}
    server.script = lambda request: answers.get(request.name) or slow(3.0)(request)
    async with server.session(limit=4) as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, iter(urls(1)), on_result=None)
        server.script = lambda request: (
            Answer(401, {}, delay=1.0)
            if request.name == "0"
            else answers.get(request.name) or slow(3.0)(request)
        )
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(50))
    rows = {row.index: row for row in caught.value.results or ()}
    assert sorted(rows) == [0, 1, 2, 3]
    assert (rows[2].ok, rows[3].ok) == (True, True)
    assert isinstance(rows[1].error, InternalServerError)
    assert isinstance(rows[0].error, AuthenticationError)


async def test_batch_rejections_are_not_repeated(server: ScriptedServer) -> None:
    """A row the server rejects is asked once."""
    server.script = lambda request: Answer(422, {"detail": [{"loc": ["body"], "msg": "bad"}]})
    async with server.session(limit=4) as session:
        with pytest.raises(BatchError) as caught:
            await gather_prompts(session, urls(10))
    assert len(server.requests) == 10
    assert caught.value.counts == {"UnprocessableEntityError": 10}
    assert not any(isinstance(row.error, BadRequestError) for row in caught.value.failures)

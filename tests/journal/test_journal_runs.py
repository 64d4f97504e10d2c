"""What a journal does for a batch: nothing is asked twice, everything ends in one record."""

import asyncio
import itertools
import time
from collections import Counter

import attrs
import pytest
from scripted_server import LOST, Answer, echo, slow

from vimmerse_async import (
    BadRequestError,
    BatchStoppedError,
    InvalidURLError,
    JournalError,
    JournalReader,
    PromptJournal,
    PromptRequest,
    RetryPolicy,
    gather_prompts,
    stream_prompts,
)
from vimmerse_async.batch import ledger
from vimmerse_async.catalog.timeline import Timeline

ONCE = RetryPolicy(max_attempts=1)


def urls(*numbers):
    return [f"https://a.example/{number}" for number in numbers]


def failing(status, *names):
    """Answer some rows with a status, the others like an echo."""
    return lambda request: (
        Answer(status, {"message": "no"}) if request.name in names else echo(request)
    )


async def streamed(session, inputs, **options):
    async with stream_prompts(session, inputs, **options) as results:
        return [result async for result in results]


def of(results):
    return {result.index: result.prompt or type(result.error).__name__ for result in results}


async def test_E15_a_second_run_sends_only_what_is_new(server, path):
    """E15: a catalog that was reordered, shortened and has grown just works."""
    async with server.session() as session:
        first = await gather_prompts(session, urls(*range(30)), journal=path)
        again = await gather_prompts(session, urls(*range(29, 9, -1), 77), journal=path)
    assert first == [f"about {number}" for number in range(30)]
    assert again == [*(f"about {number}" for number in range(29, 9, -1)), "about 77"]
    assert Counter(server.names) == Counter([*map(str, range(30)), "77"])
    with JournalReader(path) as reader:
        assert reader.counts() == {"answered": 31, "rejected": 0, "unfinished": 0}
        runs = reader.runs()
    assert [run.outcome for run in runs] == ["finished", "finished"]
    assert [(run.calls, run.answered, run.cached) for run in runs] == [(30, 30, 0), (1, 1, 20)]


@pytest.mark.parametrize("kind", ["sync", "async", "waiting"])
@pytest.mark.parametrize("ordered", [False, True])
async def test_every_row_is_answered_once(server, path, kind, ordered):
    """Known and new rows mixed, in every kind of input: each once, in order when asked to."""

    async def later():
        for url in urls(*range(300)):
            if kind == "waiting":
                await asyncio.sleep(0.0001)
            yield url

    def inputs():
        return urls(*range(300)) if kind == "sync" else later()

    async with server.session(limit=8) as session:
        await gather_prompts(session, urls(*range(0, 300, 3)), journal=path)
        results = await streamed(session, inputs(), journal=path, ordered=ordered)
        indices = [result.index for result in results]
        assert sorted(indices) == list(range(300))
        assert indices == sorted(indices) or not ordered
        assert all(result.prompt == f"about {result.index}" for result in results)
        assert sum(result.cached for result in results) == 100
        assert {result.attempts for result in results if result.cached} == {0}
        again = await streamed(session, inputs(), journal=path, ordered=ordered)
        assert all(result.cached for result in again)
        assert len(again) == 300
    assert Counter(server.names) == Counter(map(str, range(300)))


@pytest.mark.parametrize("ordered", [False, True])
async def test_one_new_row_before_many_known_ones(server, path, ordered):
    """In order, rows that are known wait for one that is asked, and it is asked."""
    async with server.session(limit=1) as session:
        await gather_prompts(session, urls(*range(1, 200)), journal=path)
        server.script = slow(0.2)
        results = await streamed(session, urls(*range(200)), journal=path, ordered=ordered)
    assert sorted(of(results)) == list(range(200))


async def test_a_result_is_on_disk_before_it_is_seen(server, path):
    """P2: whoever sees a result, in the iteration or in `on_result`, finds it in the journal."""
    seen = []

    def on_result(result):
        with JournalReader(path) as reader:
            known = {row.prompt for row in reader.results()}
        assert result.prompt in known
        seen.append(result.index)

    async with server.session(limit=4) as session:
        await streamed(session, urls(*range(40)), journal=path, on_result=on_result)
        await gather_prompts(session, urls(*range(40, 60)), journal=path, on_result=on_result)
    assert len(seen) == 60


async def test_E19_what_is_asked_again(server, path):
    """Answered never, rejected when told to, unfinished always; one record each."""
    server.script = lambda request: {
        "bad": Answer(400, {"message": "bad"}),
        "gone": Answer(404, {"message": "gone"}),
        "down": Answer(500),
        "null": Answer(200, None),
    }.get(request.name, echo(request))
    rows = ["https://a.example/" + name for name in ("good", "bad", "gone", "down", "null")]
    async with server.session(retry=ONCE) as session:

        async def asked(**options):
            server.requests.clear()
            results = of(await streamed(session, rows, journal=path, ordered=True, **options))
            return set(server.names), list(results.values())

        expected = [
            "about good", "BadRequestError", "NotFoundError", "InternalServerError",
            "APIResponseError",
        ]  # fmt: skip
        assert await asked() == ({"good", "bad", "gone", "down", "null"}, expected)
        assert await asked() == ({"down", "null"}, expected)
        assert await asked(retry_errors=["NotFoundError"]) == ({"gone", "down", "null"}, expected)
        assert await asked(retry_errors=True) == ({"bad", "gone", "down", "null"}, expected)
        server.script = echo
        assert (await asked(retry_errors=True))[0] == {"bad", "gone", "down", "null"}
        assert (await asked())[0] == set()
    with JournalReader(path) as reader:
        assert reader.counts() == {"answered": 5, "rejected": 0, "unfinished": 0}
        assert reader.errors() == {}


@pytest.mark.parametrize("retry", [True, ["NotFoundError"]])
async def test_C15_a_rejected_question_is_asked_again_once(server, path, retry):
    """Equal rows that are far apart share what the second asking brought, too."""
    rows = urls("gone", *range(200), "gone", *range(200, 400), "gone")
    server.script = failing(404, "gone")
    async with server.session() as session:
        await streamed(session, rows, journal=path)
        assert server.names.count("gone") == 1
        results = await streamed(session, rows, journal=path, retry_errors=retry)
        assert server.names.count("gone") == 2
        assert Counter(of(results).values())["NotFoundError"] == 3
        server.script = echo
        results = await streamed(session, rows, journal=path, retry_errors=retry)
    assert Counter(server.names)["gone"] == 3
    assert Counter(of(results).values())["about gone"] == 3


async def test_E20_a_rejected_row_comes_back_with_its_error(server, path):
    """An error from the journal is the one that the server gave."""
    server.script = failing(400, "1")
    async with server.session() as session:
        await streamed(session, urls(1), journal=path)
        (result,) = await streamed(session, urls(1), journal=path)
    assert isinstance(result.error, BadRequestError)
    assert result.error.status == 400
    assert "no" in str(result.error)
    assert result.cached
    assert len(server.requests) == 1


async def test_a_row_that_cannot_be_sent_has_a_record(server, path):
    """P1: a bad row ends in a record too, and fails alone, in every run."""
    rows = ["http://a.example/1", *urls(2), PromptRequest("RefinePrompt"), 3]
    async with server.session() as session:
        for _ in range(2):
            results = await streamed(session, rows, journal=path, ordered=True)
            assert isinstance(results[0].error, InvalidURLError)
            assert [result.ok for result in results] == [False, True, False, False]
    with JournalReader(path) as reader:
        assert reader.counts() == {"answered": 1, "rejected": 3, "unfinished": 0}
        assert reader.errors() == {"InvalidRequestError": 2, "InvalidURLError": 1}
    assert len(server.requests) == 1


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("gathered", [False, True])
async def test_C15_identical_questions_share_one_call(server, path, journaled, gathered):
    """Identical questions in flight are asked once; gathered or with a journal, once at all."""
    server.script = slow(0.02)
    rows = urls(*itertools.islice(itertools.cycle(range(3)), 60))
    options = {"journal": path} if journaled else {}
    async with server.session(limit=8) as session:
        if gathered:
            prompts = await gather_prompts(session, rows, **options)
        else:
            results = await streamed(session, rows, ordered=True, **options)
            prompts = [result.prompt for result in results]
            assert sum(not result.cached for result in results) == len(server.requests)
    assert prompts == [f"about {number % 3}" for number in range(60)]
    if gathered or journaled:
        assert len(server.requests) == 3
    else:
        assert len(server.requests) <= 24


async def test_identical_questions_share_one_failure(server):
    """Rows that share a call share its error, and what it may have cost is counted once."""
    server.script = lambda _: LOST
    async with server.session(limit=4) as session:
        results = await gather_prompts(session, urls(1, 1, 1), return_exceptions=True)
        assert len({type(result) for result in results}) == 1
        async with stream_prompts(session, urls(2, 2, 2)) as stream:
            charged = [result.possibly_charged async for result in stream]
    assert sorted(charged)[:2] == [0, 0]


async def test_the_same_question_by_another_route_is_the_same(server, path):
    """A string and the request that asks the same share one call, in a journal too."""
    rows = ["https://a.example/1", PromptRequest("Image2Prompt", image_url="https://a.example/1")]
    async with server.session() as session:
        await gather_prompts(session, rows)
        await gather_prompts(session, rows, journal=path)
        await gather_prompts(session, reversed(rows), journal=path)
    assert len(server.requests) == 2


@pytest.mark.parametrize("journaled", [False, True])
async def test_C15_each_occurrence_is_asked_without_dedupe(server, path, journaled):
    """`dedupe=False` asks each; with a journal it resumes by occurrence."""
    options = {"dedupe": False, "journal": path} if journaled else {"dedupe": False}
    async with server.session(limit=4) as session:
        await gather_prompts(session, urls(1, 1, 1, 2), **options)
        assert Counter(server.names) == {"1": 3, "2": 1}
        if journaled:
            results = await streamed(session, urls(1, 2, 1, 2, 1, 1), ordered=True, **options)
            assert [result.cached for result in results] == [True, True, True, False, True, False]


async def test_each_run_of_an_open_journal_counts_anew(server, path, monkeypatch):
    """Occurrences are those of one run, also where its objects lie where another's lay before."""
    monkeypatch.setattr("vimmerse_async.batch.intake.id", lambda _: 7, raising=False)
    async with server.session() as session, PromptJournal(path) as journal:
        for _ in range(3):
            rows = urls(1, 1, 2)
            assert len(await gather_prompts(session, rows, journal=journal, dedupe=False)) == 3
    assert len(server.requests) == 3


async def test_questions_without_an_input_are_never_merged(server, path):
    """Two suggestions are two calls, and a resumed run knows how many it has."""
    answers = itertools.count()
    server.script = lambda _: Answer(value=f"idea {next(answers)}")
    rows = [PromptRequest("SuggestPrompt")] * 3 + [PromptRequest()] * 2
    async with server.session() as session:
        assert len(set(await gather_prompts(session, rows))) == 5
        first = await gather_prompts(session, rows, journal=path)
        assert len(set(first)) == 5
        assert await gather_prompts(session, rows, journal=path) == first
        more = await gather_prompts(session, [*rows, PromptRequest()], journal=path)
        assert more[:5] == first
        assert len(set(more)) == 6


async def test_a_key_stands_for_the_question(server, path):
    """A presigned URL that changes from run to run is asked once."""

    def signed(signature):
        return [
            PromptRequest(
                "Image2Prompt", image_url=f"https://a.example/{n}?s={signature}", key=str(n)
            )
            for n in range(4)
        ]

    async with server.session() as session:
        first = await gather_prompts(session, signed("one"), journal=path)
        assert await gather_prompts(session, signed("two"), journal=path) == first
    assert len(server.requests) == 4
    with JournalReader(path) as reader:
        assert {row.request["key"] for row in reader.results()} == {"0", "1", "2", "3"}


@pytest.mark.parametrize("journaled", [False, True])
@pytest.mark.parametrize("limit", [1, 4, 32])
async def test_max_calls_is_never_exceeded(server, path, journaled, limit):
    """Exactly as many requests as allowed are sent, repeated ones counted, refused ones not."""
    seen = Counter()

    def script(request):
        seen[request.name] += 1
        if seen[request.name] == 1 and request.name[-1] in "37":
            return Answer(503)
        if seen[request.name] == 1 and request.name[-1] == "5":
            return Answer(429, {})
        return attrs.evolve(echo(request), delay=0.005)

    server.script = script
    refused = 0
    journal = {"journal": path} if journaled else {}
    retry = RetryPolicy(backoff_base=0.01)
    async with server.session(limit=limit, retry=retry) as session:
        with pytest.raises(BatchStoppedError) as caught:
            await gather_prompts(session, urls(*range(100)), max_calls=40, **journal)
        refused = session.statistics().refused
        assert len(server.requests) - refused <= 40
        assert len(server.requests) - refused >= 40 - limit
        assert caught.value.reason == "max_calls"
        done = sum(row.ok for row in caught.value.results)
        assert caught.value.not_attempted == 100 - len(caught.value.results)
        if journaled:
            server.requests.clear()
            server.script = echo
            prompts = await gather_prompts(
                session, urls(*range(100)), max_calls=100 - done, **journal
            )
            assert prompts == [f"about {number}" for number in range(100)]
            assert len(server.requests) == 100 - done


async def test_max_calls_that_suffice(server):
    """As many calls as rows is enough, and none is none."""
    async with server.session(limit=8) as session:
        assert len(await gather_prompts(session, urls(*range(20)), max_calls=20)) == 20
        assert await gather_prompts(session, urls(1, 1, 1), max_calls=1) == ["about 1"] * 3
        with pytest.raises(BatchStoppedError):
            await gather_prompts(session, urls(1), max_calls=0)
    assert len(server.requests) == 21


async def test_left_early_rows_are_recorded_unfinished(server, path):
    """A row in flight when the stream is left is asked again, and known to have been asked."""
    async with server.session(limit=4) as session:
        server.script = lambda request: slow(0.2 if request.name == "0" else 60)(request)
        async with stream_prompts(session, urls(*range(9)), journal=path) as results:
            async for _ in results:
                break
        with JournalReader(path) as reader:
            counts = reader.counts()
            assert counts["answered"] == 1
            assert 1 <= counts["unfinished"] <= 4
            assert set(reader.errors()) == {"CancelledError"}
            assert reader.runs()[0].outcome == "cancelled"
            assert reader.runs()[0].possibly_charged == counts["unfinished"]
        server.script = echo
        assert len(await gather_prompts(session, urls(*range(9)), journal=path)) == 9


async def test_stopping_can_be_seen(server, path):
    """`stopping` is False until nothing new is sent."""
    server.script = slow(0.01)
    async with server.session(limit=2) as session:
        for options in ({}, {"journal": path}):
            seen = []
            async with stream_prompts(session, urls(*range(50)), **options) as results:
                assert not results.stopping
                async for result in results:
                    seen.append(result)
                    if len(seen) == 5:
                        results.stop()
                        assert results.stopping
            assert 5 <= len(seen) <= 8
    with JournalReader(path) as reader:
        assert reader.runs()[0].outcome == "interrupted"


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_stopped_run_goes_on_later(server, path, status):
    """The account's troubles leave rows unfinished; the same call goes on."""
    first = (
        0 if status == 403 else 10
    )  # a 403 behind successes may be a gateway's: it is waited out
    server.script = failing(status, *map(str, range(first, 30)))
    async with server.session(limit=2) as session:
        with pytest.raises(BatchStoppedError):
            await gather_prompts(session, urls(*range(30)), journal=path)
        asked = len(server.requests)
        server.script = echo
        assert len(await gather_prompts(session, urls(*range(30)), journal=path)) == 30
    assert len(server.requests) == asked + 30 - first
    with JournalReader(path) as reader:
        reasons = {401: "auth", 402: "credits", 403: "permission"}
        assert reader.runs()[0].outcome == reasons[status]


async def test_E17_another_key_may_resume_another_origin_may_not(server, path):
    """The journal belongs to a server, not to a key, a window or a timeout."""
    from vimmerse_async import VimmerseSession

    async with server.session() as session:
        await gather_prompts(session, urls(1), journal=path)
    async with VimmerseSession(
        "another-key-of-the-account", base_url=server.url, limit=3
    ) as session:
        await gather_prompts(session, urls(1), journal=path)
    async with VimmerseSession("a-key", base_url="https://other.example") as session:
        with pytest.raises(JournalError) as caught:
            await gather_prompts(session, urls(1, 2), journal=path)
        assert caught.value.kind == "mismatch"
        async with PromptJournal(path) as journal:
            with pytest.raises(JournalError):
                await streamed(session, urls(1, 2), journal=journal)
    assert len(server.requests) == 1


async def test_P6_the_key_is_nowhere_in_the_journal(server, path):
    """Not even where the server sends it back."""
    from scripted_server import KEY

    server.script = lambda request: Answer(
        400 if request.name < "5" else 200, {"message": KEY} if request.name < "5" else f"of {KEY}"
    )
    async with server.session() as session, PromptJournal(path) as journal:
        results = await streamed(session, urls(*range(10)), journal=journal)
        await journal.flush()
        for each in path.parent.iterdir():
            assert KEY.encode() not in each.read_bytes()
    assert all(KEY not in (result.prompt or str(result.error)) for result in results)
    assert KEY.encode() not in path.read_bytes()


async def test_a_journal_of_ones_own_serves_many_runs(server, path):
    """An open journal can be given to one run after another, and to two at once."""
    details = {"wanted by": "a test"}
    async with (
        server.session(limit=4) as session,
        PromptJournal(path, source="a list", details=details) as journal,
    ):
        await gather_prompts(session, urls(*range(10)), journal=journal)
        await asyncio.gather(
            streamed(session, urls(*range(10, 20)), journal=journal),
            gather_prompts(session, urls(*range(20, 30)), journal=journal),
        )
    with JournalReader(path) as reader:
        assert reader.counts()["answered"] == 30
        assert [run.source for run in reader.runs()] == ["a list"] * 3
        assert {run.options["wanted by"] for run in reader.runs()} == {"a test"}
        assert {run.outcome for run in reader.runs()} == {"finished"}


async def test_a_journal_that_is_closed_is_one_file(server, path):
    """Nothing is left beside it, however often it was opened and looked at."""
    async with server.session() as session:
        for _ in range(20):
            await gather_prompts(session, urls(1, 2, 3), journal=path)
            assert [each.name for each in path.parent.iterdir()] == ["run.db"]


async def test_a_closed_journal_is_no_journal(server, path):
    """A journal is used inside its block; a wrong argument says so."""
    async with server.session() as session:
        with pytest.raises(JournalError, match="async with"):
            await gather_prompts(session, urls(1), journal=PromptJournal(path))
        with pytest.raises(TypeError, match="path or a PromptJournal"):
            await gather_prompts(session, urls(1), journal=3)
        with pytest.raises(TypeError, match="retry_errors"):
            await gather_prompts(session, urls(1), retry_errors="NotFoundError")
        with pytest.raises(ValueError, match="max_calls"):
            await gather_prompts(session, urls(1), max_calls=-1)
    assert not server.requests
    assert not path.exists()


async def test_learned_limits_start_the_next_run_warm(server, path):
    """What one process learned about the account's limits, the next begins with."""
    from vimmerse_async.control import AdaptiveLimit

    inside = 0

    def limited(request):
        nonlocal inside
        if server.in_flight > 5:
            return Answer(429, {})
        return attrs.evolve(echo(request), delay=0.01)

    server.script = limited
    first, second = AdaptiveLimit(), AdaptiveLimit()
    async with server.session(limit=first) as session:
        await gather_prompts(session, urls(*range(300)), journal=path)
    assert first.snapshot().suspect is not None
    with JournalReader(path) as reader:
        learned = reader.snapshot()
        assert learned.suspect == first.snapshot().suspect
        assert reader.samples()
    async with (
        server.session(limit=second) as session,
        stream_prompts(session, urls(1), journal=path),
    ):
        assert second.snapshot().suspect == learned.suspect


async def test_a_wall_clock_that_is_set_stretches_no_run(server, path, monkeypatch):
    """A run lasts as long as it does, though the wall clock jumps a day to and fro meanwhile."""
    jumps, real = itertools.cycle((0, 86_400, -86_400)), time.time
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    monkeypatch.setattr(ledger, "SAMPLE", 0.02)
    server.script = slow(0.05)
    async with server.session(limit=1) as session:
        await gather_prompts(session, urls(1, 2, 3), journal=path)
        await gather_prompts(session, urls(4, 5, 6), journal=path)
    with JournalReader(path) as reader:
        runs, samples, results = reader.runs(), reader.samples(), list(reader.results())
    timeline = Timeline(samples)
    for run in runs:
        moments = [sample.at for sample in samples if sample.run == run.run]
        ends = [result.finished_at for result in results if result.run == run.run]
        assert moments == sorted(moments)
        assert len(ends) == 3 < len(moments)
        assert run.started_at <= min(moments) <= max(moments) <= run.ended_at
        assert run.started_at < min(ends) <= max(ends) <= run.ended_at < run.started_at + 3_600
    assert len(timeline.breaks) == 1
    assert timeline.points[-1][0] < 3_600


async def test_what_a_kill_may_cost_is_what_is_under_way(server, path, monkeypatch):
    """It is noted before it is under way, never four windows, and less once there is less."""
    monkeypatch.setattr(ledger, "SAMPLE", 0.02)
    burst, gate, noted = 40, asyncio.Event(), []

    async def rows():
        for url in urls(*range(burst)):
            yield url
        await gate.wait()
        yield urls(burst)[0]

    def most():
        with JournalReader(path) as reader:
            return reader.runs()[-1].most_under_way

    server.script = slow(0.3)
    async with (
        server.session(limit=burst) as session,
        stream_prompts(session, rows(), journal=path) as results,
    ):
        async for _ in results:
            noted.append(most())
            if len(noted) == burst:
                while most() > 2:  # noqa: ASYNC110 - the file tells nobody
                    await asyncio.sleep(0.01)
                gate.set()
    assert burst / 2 < noted[0] < 3 * burst

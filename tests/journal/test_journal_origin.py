"""Whose answers a journal gets: a server on this machine is an emulator only if it says so."""

import asyncio

import pytest
from drawn import RED, encoded, solid
from scripted_server import KEY, LOST, NEVER, Answer

from vimmerse_async import (
    APIConnectionError,
    JournalError,
    JournalReader,
    PromptJournal,
    RetryPolicy,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    image_2_prompt,
)
from vimmerse_async.catalog.hosting import hosted
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.emulator import Emulator

URLS = [f"https://a.example/{number}" for number in range(3)]
EMULATED = Answer(value={"server": "vimmerse-emulator", "version": "1"})
ONCE = RetryPolicy(max_attempts=1)


def session_of(url: str) -> VimmerseSession:
    return VimmerseSession(KEY, base_url=url)


def origin(path) -> str | None:
    with JournalReader(path) as reader:
        return reader.origin


async def test_an_emulator_is_one_whatever_its_port(path):
    """The next emulator, at another port, goes on with what the first has answered."""
    for _ in range(2):
        with Emulator(unknown_media="placeholder") as emulator:
            async with VimmerseSession(emulator.key, base_url=emulator.url) as session:
                prompts = await gather_prompts(session, URLS, journal=path)
            asked = len(emulator.requests)
        assert len(prompts) == 3
    assert asked == 0
    assert origin(path) == "emulator"


async def test_E17_a_gateway_gets_no_answers_of_the_emulator(server, path):
    """A run that is paid for through this machine is never filled with emulated captions."""
    with Emulator(unknown_media="placeholder") as emulator:
        async with VimmerseSession(emulator.key, base_url=emulator.url) as session:
            await gather_prompts(session, URLS, journal=path)
    async with server.session() as session:
        with pytest.raises(JournalError, match="of the emulator, not of") as caught:
            await gather_prompts(session, URLS, journal=path)
        assert caught.value.kind == "mismatch"
        assert not server.requests
        assert await gather_prompts(session, URLS) == ["about 0", "about 1", "about 2"]


async def test_E17_the_emulator_gets_no_answers_of_a_gateway(server, path):
    """What a gateway on this machine answered is kept under its address, and for it alone."""
    async with server.session() as session:
        await gather_prompts(session, URLS, journal=path)
    assert origin(path) == server.url
    with Emulator(unknown_media="placeholder") as emulator:
        async with VimmerseSession(emulator.key, base_url=emulator.url) as session:
            with pytest.raises(JournalError) as caught:
                await gather_prompts(session, URLS, journal=path)
        assert not emulator.requests
    assert caught.value.kind == "mismatch"


async def test_a_session_asks_once_and_counts_nothing(server, path):
    """Who answers is asked past limit, statistics and hooks, and only where a journal wants it."""
    told = []

    class Hook:
        def on_call(self, event):
            told.append(event.operation)

    async with server.session(hooks=(Hook(),)) as session:
        await image_2_prompt(session, URLS[0])
        await gather_prompts(session, URLS)
        assert server.asked_who == 0
        runs = (gather_prompts(session, URLS, journal=path.with_name(name)) for name in "abc")
        await asyncio.gather(*runs)
        await gather_prompts(session, URLS, journal=path.with_name("a"))
        statistics = session.statistics()
    assert server.asked_who == 1
    assert statistics.calls == statistics.sends == len(server.requests) == len(told) == 13


async def test_no_server_elsewhere_is_asked(path):
    """Only loopback can be an emulator: no other address is told that there are any."""
    async with session_of("https://other.example") as session:
        assert await session.emulated() is False


async def test_a_port_that_does_not_answer_gets_no_journal(server, path):
    """A journal stays nobody's until somebody has answered, and the run does not fail of it."""
    server.refuse()
    async with server.session(retry=ONCE, timeouts=Timeouts(total=0.5)) as session:
        failed = await gather_prompts(session, URLS[:1], journal=path, return_exceptions=True)
        assert isinstance(failed[0], APIConnectionError)
        assert origin(path) is None
        await server.listen()
        server.who = EMULATED
        assert await gather_prompts(session, URLS, journal=path) == [f"about {n}" for n in range(3)]
    assert origin(path) == "emulator"


@pytest.mark.parametrize("who", [EMULATED, Answer(404), LOST, NEVER])
async def test_who_answers_late_is_asked_before_it_is_believed(server, path, who):
    """A server that starts after the run gets the journal that it deserves, or none."""
    server.refuse()
    patience = Timeouts(connect=0.3)
    with Emulator(unknown_media="placeholder") as emulator:
        async with VimmerseSession(emulator.key, base_url=emulator.url) as session:
            await gather_prompts(session, URLS[:1], journal=path)
    new = path.with_name("new.db")
    async with server.session(limit=1, timeouts=patience) as session:
        runs = [
            asyncio.create_task(gather_prompts(session, URLS[1:], journal=each))
            for each in (path, new)
        ]
        await asyncio.sleep(0.1)
        assert not any(run.done() for run in runs)
        server.who = who
        await server.listen()
        old, fresh = await asyncio.gather(*runs, return_exceptions=True)
    emulated = who is EMULATED
    assert fresh == ["about 1", "about 2"]
    assert origin(new) == ("emulator" if emulated else server.url)
    with JournalReader(path) as reader:
        assert reader.counts()["answered"] == (3 if emulated else 1)
    if emulated:
        assert old == fresh
    else:
        assert isinstance(old, JournalError)
        assert old.kind == "mismatch"


@pytest.mark.parametrize("emulated", [True, False])
async def test_what_a_gateway_hosts_stays(server, tmp_path, emulated):
    """Files are uploaded again only to an emulator, where they were gone with the one before."""
    server.who = EMULATED if emulated else server.who
    server.script = lambda _: Answer(value={"results": ["https://a.example/hosted.png"]})
    (tmp_path / "red.png").write_bytes(encoded(solid(RED)))
    row = CatalogRow(1, {"file": "red.png"}, path=tmp_path / "red.png")
    for _ in range(2):
        async with server.session() as session, PromptJournal(tmp_path / "run.db") as journal:
            journal.bind(session.base_url, emulated=await session.emulated())
            async with hosted(session, [row], Questions(), journal) as requests:
                asked = [each.image_url async for each in requests]
        assert asked == ["https://a.example/hosted.png"]
    assert len(server.requests) == (2 if emulated else 1)

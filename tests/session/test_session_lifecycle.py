"""A session's life: made anywhere, bound to one loop and process, closed once, never in silence."""

import asyncio
import gc
import pickle
import re
import threading
import warnings
from collections.abc import AsyncIterator
from typing import Any

import pytest
from scripted_server import KEY, NEVER, Answer, ScriptedServer, slow

from vimmerse_async import (
    ConfigurationError,
    RetryPolicy,
    SessionError,
    Timeouts,
    VimmerseSession,
    gather_prompts,
    get_asset,
    image_2_prompt,
    legacy,
    refine_prompt,
    stream_prompts,
    suggest_prompt,
    text_prompt,
    upload_image,
)
from vimmerse_async.accounts import FORGET_AFTER
from vimmerse_async.control import FixedLimit
from vimmerse_async.integrations.otel import OpenTelemetryHook

URL = "https://a.example/1"


def now() -> float:
    return asyncio.get_running_loop().time()


def test_D9_session_is_made_without_a_loop() -> None:
    """A session can be made where no loop runs, shown, asked for statistics, and thrown away."""
    session = VimmerseSession(KEY)
    assert repr(session) == "<VimmerseSession https://api.vimmerse.net not entered>"
    assert not session.closed
    statistics = session.statistics()
    assert (statistics.calls, statistics.waiting, statistics.limit.in_flight) == (0, 0, 0)


async def test_D9_session_before_enter(server: ScriptedServer) -> None:
    """A call before `async with` is a SessionError that says so; then the session can be used."""
    session = server.session()
    with pytest.raises(SessionError, match="async with VimmerseSession"):
        await image_2_prompt(session, URL)
    async with session:
        assert await image_2_prompt(session, URL) == "about 1"
    assert len(server.requests) == 1


async def test_D8_session_after_close(server: ScriptedServer) -> None:
    """A closed session says that it is closed, does not open again, and closes again silently."""
    async with server.session() as session:
        await image_2_prompt(session, URL)
    assert session.closed
    assert "closed" in repr(session)
    with pytest.raises(SessionError, match="closed"):
        await image_2_prompt(session, URL)
    with pytest.raises(SessionError, match="make a new VimmerseSession"):
        async with session:
            pass
    await session.aclose()
    await session.aclose(grace=5.0)
    assert session.statistics().succeeded == 1


async def test_session_closed_before_enter(server: ScriptedServer) -> None:
    """A session that was closed before it was entered stays closed."""
    session = server.session()
    await session.aclose()
    assert session.closed
    with pytest.raises(SessionError, match="new VimmerseSession"):
        async with session:
            pass


async def test_session_entered_twice(server: ScriptedServer) -> None:
    """A session that is open does not open again, and stays open."""
    async with server.session() as session:
        with pytest.raises(SessionError, match="open already"):
            async with session:
                pass
        assert await image_2_prompt(session, URL) == "about 1"


async def test_D10_session_in_another_loop(server: ScriptedServer) -> None:
    """Another thread's loop gets a SessionError that names the mend; the session is unharmed."""
    seen: list[BaseException] = []

    async def misuse(session: VimmerseSession) -> None:
        gathering = gather_prompts(session, [URL])
        for call in (image_2_prompt(session, URL), session.aclose(), gathering):
            try:
                await call
            except SessionError as error:
                seen.append(error)

    async with server.session() as session:
        thread = threading.Thread(target=asyncio.run, args=(misuse(session),))
        thread.start()
        while thread.is_alive():  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.01)
        thread.join()
        assert len(seen) == 3
        assert all("another event loop" in str(error) for error in seen)
        assert session.gate.in_flight == 0
        assert await image_2_prompt(session, URL) == "about 1"


def test_session_does_not_travel() -> None:
    """A session is neither pickled nor copied."""
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps(VimmerseSession(KEY))


async def test_D7_session_closed_with_calls_in_flight(server: ScriptedServer) -> None:
    """Closing ends calls wherever they are with a SessionError, at once, and sends none again."""
    server.script = lambda _request: NEVER if len(server.requests) <= 2 else Answer(503, {})
    session = server.session(limit=4, retry=RetryPolicy(backoff_base=50.0, backoff_cap=50.0))
    async with session:
        calls = [asyncio.create_task(image_2_prompt(session, URL)) for _ in range(9)]
        await asyncio.sleep(0.2)
        asked = len(server.requests)
        begun = now()
        await session.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert now() - begun < 0.1
    assert [type(outcome) for outcome in outcomes] == [SessionError] * 9
    assert all("closed while this call was under way" in str(each) for each in outcomes)
    await asyncio.sleep(100.0)
    assert len(server.requests) == asked


@pytest.mark.parametrize(("grace", "done"), [(0.0, 0), (1.5, 2), (2.5, 4), (100.0, 6)])
async def test_D7_session_grace(server: ScriptedServer, grace: float, done: int) -> None:
    """`aclose(grace=…)` lets calls end for so long, begins no new ones, and waits no longer."""
    server.script = slow(1.0)
    async with server.session(limit=2) as session:
        calls = [asyncio.create_task(image_2_prompt(session, URL)) for _ in range(6)]
        await asyncio.sleep(0.01)
        begun = now()
        closing = asyncio.create_task(session.aclose(grace))
        await asyncio.sleep(0)
        with pytest.raises(SessionError, match="closed"):
            await image_2_prompt(session, URL)
        await closing
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(outcome == "about 1" for outcome in outcomes) == done
    assert sum(type(outcome) is SessionError for outcome in outcomes) == 6 - done
    assert now() - begun == pytest.approx(min(grace, 3.0), abs=0.1)


async def test_session_grace_cancelled(server: ScriptedServer) -> None:
    """Whoever is cancelled while a session closes gracefully leaves it closed, and no call open."""
    server.script = slow(10.0)
    async with server.session() as session:
        call = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await session.aclose(grace=60.0)
        assert session.closed
        with pytest.raises(SessionError):
            await call
        await asyncio.sleep(0.1)
        assert not server.connections


async def test_session_closed_from_two_sides(server: ScriptedServer) -> None:
    """Two tasks may close a session at once, one of them from inside its own block."""
    server.script = slow(5.0)
    async with server.session() as session:
        call = asyncio.create_task(image_2_prompt(session, URL))
        await asyncio.sleep(0.1)
        await asyncio.gather(session.aclose(grace=1.0), session.aclose())
        with pytest.raises(SessionError):
            await call


@pytest.mark.parametrize("offset", [-0.1, -0.05, -0.001, 0.0, 0.001, 0.05, 0.1, 0.15])
async def test_session_closed_as_the_deadline_comes(server: ScriptedServer, offset: float) -> None:
    """A call whose attempt times out as the session closes ends, and is not sent again."""
    server.script = lambda _request: NEVER
    async with server.session(timeouts=Timeouts(attempt=1.0)) as session:
        calls = [asyncio.create_task(image_2_prompt(session, URL)) for _ in range(3)]
        await asyncio.sleep(1.0 + offset)
        await session.aclose()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SessionError] * 3


async def test_D12_session_that_nobody_closed(server: ScriptedServer) -> None:
    """A forgotten session gives one ResourceWarning that names its line, and closes its sockets."""
    noise: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: noise.append(context))

    async def forget() -> None:
        session = VimmerseSession(KEY, base_url=server.url)
        await session.__aenter__()
        await asyncio.gather(*(image_2_prompt(session, URL) for _ in range(3)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await forget()
        gc.collect()
    (warning,) = caught
    assert warning.category is ResourceWarning
    line = forget.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}" in str(warning.message)
    assert "async with" in str(warning.message)
    await asyncio.sleep(1.0)
    assert not server.connections
    assert not noise


async def test_session_view(server: ScriptedServer) -> None:
    """A view has options of its own, and everything else in common: pool, gate, life, counts."""
    server.script = lambda _request: NEVER
    async with server.session(retry=RetryPolicy(max_attempts=1)) as session:
        hasty = session.with_options(timeouts=Timeouts(attempt=1.0))
        patient = hasty.with_options(timeouts=Timeouts(attempt=5.0), retry=RetryPolicy())
        for view, expected, sends in ((hasty, 1.0, 1), (patient, 10.0, 2)):
            begun, before = now(), len(server.requests)
            with pytest.raises(TimeoutError):
                await image_2_prompt(view, URL)
            assert expected <= now() - begun <= expected + 0.5 + 1.0
            assert len(server.requests) - before == sends
        assert session.gate is hasty.gate is patient.gate
        assert session.statistics() == patient.statistics()
        with pytest.raises(ConfigurationError):
            session.with_options(timeouts=5)  # type: ignore[arg-type]
        await patient.aclose()
        assert session.closed
        assert hasty.closed
    early = server.session().with_options(retry=RetryPolicy(max_attempts=2))
    server.script = slow(0.1)
    async with early:
        assert await image_2_prompt(early, URL) == "about 1"


async def test_D21_session_shares_the_learned_limit(server: ScriptedServer) -> None:
    """Sessions of one key and origin share what they learn, for ten minutes after the last."""
    async with ScriptedServer() as other:
        async with server.session() as one, server.session() as two:
            limit = one.gate.limit
            assert two.gate is one.gate
            async with VimmerseSession("another-key-012345", base_url=server.url) as stranger:
                assert stranger.gate.limit is not limit
            async with other.session() as elsewhere:
                assert elsewhere.gate.limit is not limit
            async with VimmerseSession(KEY, base_url=f"{server.url}/other") as below:
                assert below.gate.limit is not limit
            async with VimmerseSession(KEY, base_url=f"{server.url}/") as same:
                assert same.gate is one.gate
            async with server.session(limit=4) as own, server.session(limit=4) as owned:
                assert own.gate.limit is not limit
                assert owned.gate.limit is not own.gate.limit
        await asyncio.sleep(FORGET_AFTER - 10.0)
        async with server.session() as later:
            assert later.gate.limit is limit
        await asyncio.sleep(FORGET_AFTER + 10.0)
        async with server.session() as much_later:
            assert much_later.gate.limit is not limit


async def test_session_takes_a_limit_object(server: ScriptedServer) -> None:
    """A limit object is used as given, also by two sessions, which wait for each other then."""
    server.script = slow(1.0)
    limit = FixedLimit(2)
    async with server.session(limit=limit) as one, server.session(limit=limit) as two:
        begun = now()
        await asyncio.gather(*(image_2_prompt(one, URL) for _ in range(4)),
                             *(image_2_prompt(two, URL) for _ in range(4)))  # fmt: skip
        assert now() - begun == pytest.approx(4.0, abs=0.1)
        assert one.gate.limit is two.gate.limit is limit
    assert server.most_in_flight == 2


async def test_session_with_a_number_leaves_nothing(server: ScriptedServer) -> None:
    """A thousand sessions with limits of their own leave no gate behind."""
    from vimmerse_async.accounts import _shared

    before = len(_shared.get(asyncio.get_running_loop(), {}))
    for _ in range(1000):
        async with server.session(limit=4):
            pass
    assert len(_shared.get(asyncio.get_running_loop(), {})) <= before


async def test_session_forgotten_leaves_its_share(server: ScriptedServer) -> None:
    """A session that was collected unclosed does not keep the shared limit for ever."""

    async def forget() -> Any:
        session = server.session()
        await session.__aenter__()
        return session.gate.limit

    with pytest.warns(ResourceWarning):
        limit = await forget()
    await asyncio.sleep(FORGET_AFTER + 10.0)
    async with server.session() as later:
        assert later.gate.limit is not limit


async def test_session_in_an_async_generator(server: ScriptedServer) -> None:
    """A session that lives in an async generator is closed with it."""

    async def captions() -> AsyncIterator[str]:
        async with server.session() as session:
            for number in range(10):
                yield await image_2_prompt(session, f"https://a.example/{number}")

    reader = captions()
    assert await anext(reader) == "about 0"
    await reader.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0.1)
    assert not server.connections


async def test_D8_session_closed_by_its_hook(server: ScriptedServer) -> None:
    """A hook may have the session closed; calls under way end, and nobody waits for another."""
    closing: list[asyncio.Task[None]] = []

    class Closer:
        def on_retry(self, event: Any) -> None:
            pass

        def on_call(self, event: Any) -> None:
            if not closing:
                closing.append(asyncio.ensure_future(session.aclose()))

    server.script = slow(1.0)
    session = server.session(limit=1, hooks=[Closer()])
    async with session:
        calls = [asyncio.ensure_future(image_2_prompt(session, URL)) for _ in range(3)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        await closing[0]
    assert [type(outcome) for outcome in outcomes] == [str, SessionError, SessionError]


@pytest.mark.parametrize("thing", ["a key", None, VimmerseSession, ["https://a.example/1.png"]])
async def test_what_is_no_session_is_told_in_words(thing: Any) -> None:
    """Whatever stands where a session belongs is a TypeError that says what to write."""
    calls = (
        lambda: suggest_prompt(thing),
        lambda: refine_prompt(thing, "a fox"),
        lambda: image_2_prompt(thing, "https://a.example/1.png"),
        lambda: text_prompt(thing, prompt="a fox"),
        lambda: upload_image(thing, b""),
        lambda: get_asset(thing, "1"),
        lambda: gather_prompts(thing, []),
        lambda: legacy.text_prompt(thing, prompt="a fox"),
        lambda: legacy.upload_image(thing, b""),
    )
    for call in calls:
        with pytest.raises(TypeError, match="session must be an open VimmerseSession, not"):
            await call()
    with pytest.raises(TypeError, match="session must be an open VimmerseSession, not"):
        stream_prompts(thing, [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": FixedLimit}, r"a limit, not its class: write FixedLimit\(…\)"),
        ({"hooks": print}, "a list of objects with on_call, .* and <built-in function print> is"),
        ({"hooks": [print]}, "<built-in function print> is none"),
        ({"hooks": [OpenTelemetryHook]}, "OpenTelemetryHook.* is none"),
    ],
)
def test_a_class_or_a_function_is_no_object(given: dict[str, Any], said: str) -> None:
    """A limit or hook that was forgotten to be made is refused in words, before anything opens."""
    with pytest.raises(ConfigurationError, match=said):
        VimmerseSession("test-key", **given)


async def test_an_open_session_speaks_to_people() -> None:
    """Its repr, and its gate's, say how many are in flight, of how many, and how many wait."""
    async with VimmerseSession("test-key") as session:
        assert re.search(r"\d+ of \d+ in flight, 0 waiting>", repr(session))
        assert repr(session.gate).startswith("<Gate 0 of ")

"""A fault of our own code or of aiohttp's is no broken reply, and no fault of the input."""

import pytest

import vimmerse_async.session
from vimmerse_async import APIConnectionError, BatchStoppedError, gather_prompts, refine_prompt
from vimmerse_async.http import line
from vimmerse_async.http.failures import failure_of
from vimmerse_async.http.surface import HttpProcessingError
from vimmerse_async.masking import Mask
from vimmerse_async.wire import Lease

ROWS = [f"https://a.example/{number}" for number in range(50)]
BUGS = [AttributeError("'X' object has no attribute 'y'"), TypeError("f() takes 1 argument")]


def broken(bug):
    def method(*_, **__):
        raise bug

    return method


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("connected", [True, False])
def test_what_aiohttp_calls_a_broken_reply(bug, connected):
    """What fails in its parser, aiohttp wraps as a reply that is not HTTP; the cause tells."""
    error = HttpProcessingError()
    error.__cause__ = bug
    lease = Lease()
    lease.connected = connected
    failure = failure_of(error, lease, None, "a.example:443")
    assert (failure.kind, failure.sent) == ("internal", connected)
    assert type(bug).__name__ in failure.message
    assert "aiohttp 3." in failure.message


@pytest.mark.parametrize("name", ["common", "ask", "is_silent"])
async def test_a_fault_in_the_pool(name, serve, connect, monkeypatch):
    """It is told as what it is, counts what it may have cost, and nothing is sent again."""
    server = await serve()
    session = await connect(server)
    assert await refine_prompt(session, "x") == "answer to x"
    monkeypatch.setattr(
        line if name == "common" else line.Line, name, broken(AttributeError("no such name"))
    )
    with pytest.raises(APIConnectionError, match="not of the input") as raised:
        await refine_prompt(session, "y")
    error = raised.value
    assert (error.kind, error.attempts) == ("internal", 1)
    assert error.possibly_charged == (error.sent == "maybe")
    assert session.statistics().possibly_charged == error.possibly_charged
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    ("place", "name"),
    [(line, "common"), (Mask, "answer"), (vimmerse_async.session, "decode")],
)
async def test_a_fault_of_ours_stops_a_batch(place, name, serve, connect, monkeypatch):
    """No row and no input is blamed, whatever was sent is counted, and the rest is not sent."""
    server = await serve()
    session = await connect(server, limit=4)
    monkeypatch.setattr(place, name, broken(AttributeError("no such name")))
    with pytest.raises(BatchStoppedError, match="no such name") as raised:
        await gather_prompts(session, ROWS)
    error = raised.value
    assert error.reason == "internal"
    assert "input, then" not in error.resume_hint
    assert not any(row.ok for row in error.results)
    assert 1 <= len(server.requests) <= 4 + 1
    assert session.statistics().possibly_charged >= len(server.requests)

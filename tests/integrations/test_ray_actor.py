"""What an actor of a Ray run does with its blocks; Ray itself is not needed for that."""

from typing import Any

import pyarrow as pa
import pytest
from scripted_server import KEY, Answer, ScriptedServer, echo, slow

from vimmerse_async.integrations.ray import Captioner, Task
from vimmerse_async.sharing.actor import RayMeeting

URLS = [f"https://a.example/{n}" for n in range(8)]


def captioner(server: ScriptedServer, **changed: Any) -> Captioner:
    task = {
        "column": "image",
        "prompt_column": "prompt",
        "error_column": "error",
        "window": 16,
        "share": RayMeeting("vimmerse-limit-of-nobody"),
        "strings": {"option": "Image2Prompt"},
        "session": {"api_key": KEY, "base_url": server.url},
    }
    return Captioner(Task(**(task | changed)))


async def test_rows_keep_their_columns_and_never_raise(server: ScriptedServer) -> None:
    """A row has a prompt or a reason; a null, a bad URL and a 400 fail alone."""
    server.script = lambda request: Answer(400, {}) if request.name == "1" else echo(request)
    actor = captioner(server)
    block = pa.table({"id": [1, 2, 3, 4], "image": [*URLS[:2], None, "http://a.example/3"]})
    out = await actor(block)
    assert out.column_names == ["id", "image", "prompt", "error"]
    assert out.column("prompt").to_pylist() == ["about 0", None, None, None]
    assert out.column("error").null_count == 1
    assert [field.type for field in out.schema][2:] == [pa.string()] * 2
    await actor.session.aclose()


async def test_blocks_share_one_session(server: ScriptedServer) -> None:
    """The second block asks over the first one's connections, with what was learned."""
    actor = captioner(server)
    for _ in range(2):
        await actor(pa.table({"image": URLS[:1]}))
    assert server.accepted == 1
    await actor.session.aclose()


async def test_an_actor_has_its_window_in_flight_at_most(server: ScriptedServer) -> None:
    """Whatever it learns, it never asks more than `window` at a time."""
    server.script = slow(5.0)
    actor = captioner(server, window=3)
    await actor(pa.table({"image": URLS}))
    assert server.most_in_flight == 3
    await actor.session.aclose()


async def test_without_ray_an_actor_goes_on_alone(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no actor can keep the run's limit, it is told once, and the rows are asked."""
    actor = captioner(server)
    for _ in range(2):
        await actor(pa.table({"image": URLS}))
    sharing = actor.session.statistics().sharing
    assert sharing is not None
    assert (sharing.scope, sharing.processes, sharing.leader) == ("ray", 1, None)
    assert caplog.text.count("the limit is not shared with other processes of this Ray run") == 1
    assert len(server.requests) == 16
    await actor.session.aclose()


async def test_a_stopped_account_is_not_asked_again(server: ScriptedServer) -> None:
    """Without credits the rest of the rows say so, and later blocks send nothing."""
    server.script = lambda _request: Answer(402, {"message": "no credits"})
    actor = captioner(server, session={"api_key": KEY, "base_url": server.url, "limit": 1})
    first = await actor(pa.table({"image": URLS}))
    sent = len(server.requests)
    second = await actor(pa.table({"image": URLS}))
    assert sent < len(URLS)
    assert len(server.requests) == sent
    for row in first.column("error").to_pylist()[sent:] + second.column("error").to_pylist():
        assert row.startswith("not asked: the batch stopped (credits)")
    await actor.session.aclose()


@pytest.mark.parametrize(
    ("columns", "named"),
    [({"picture": URLS}, "picture"), ({"image": URLS, "prompt": URLS}, "prompt")],
)
async def test_columns_that_cannot_be_are_named(
    server: ScriptedServer, columns: dict[str, list[str]], named: str
) -> None:
    """A missing column and one that would be overwritten end the run before anything is sent."""
    actor = captioner(server)
    with pytest.raises(ValueError, match=named):
        await actor(pa.table(columns))
    assert not server.requests

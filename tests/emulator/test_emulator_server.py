"""Where the emulator runs and how it is started, stopped and reset."""

import asyncio
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from vimmerse_async.emulator import Emulator


def get_health(emulator: Emulator) -> int:
    with urllib.request.urlopen(emulator.url + "/health", timeout=10) as reply:
        return reply.status


def test_a_plain_with_runs_it_in_its_own_thread():
    """Synchronous code can use it: nobody has to run a loop."""
    before = threading.active_count()
    with Emulator() as emulator:
        assert get_health(emulator) == 200
    assert threading.active_count() == before


def test_it_can_be_started_again():
    """After its end the same object begins anew."""
    emulator = Emulator()
    for _ in range(2):
        with emulator:
            assert get_health(emulator) == 200


def test_outside_of_with_there_is_no_url():
    """Asking too early says what to do."""
    with pytest.raises(RuntimeError, match="inside `with`"):
        _ = Emulator().url


async def test_stopping_leaves_no_task_behind(call):
    """Whatever is in flight is cut off, and the listening socket is closed."""
    before = asyncio.all_tasks()
    emulator = Emulator(latency=60)
    async with emulator:
        url = emulator.url
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(
            b"POST /v2/text/suggest-prompt HTTP/1.1\r\nHost: x\r\nX-Api-Key: test-a\r\n\r\n"
        )
        while not emulator.requests:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


async def test_G13_a_port_in_use_is_named():
    """The error says which port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port}.*in use"):
            async with Emulator(port=port):
                pass
        with pytest.raises(OSError, match=f"port {port}.*in use"), Emulator(port=port):
            pass


def test_G13_the_other_loopback_address():
    """IPv6 alone works, and its URL is one that clients can use."""
    with Emulator(host="::1") as emulator:
        assert emulator.url.startswith("http://[::1]:")
        assert get_health(emulator) == 200


def test_G13_other_machines_are_let_in_only_when_told_to():
    """An address beyond this machine needs a flag, and warns."""
    with pytest.raises(ValueError, match="expose=True"):
        Emulator(host="0.0.0.0")
    with pytest.warns(UserWarning, match="other machines"):
        emulator = Emulator(host="0.0.0.0", expose=True)
    with emulator:
        assert get_health(emulator) == 200


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"key": "sk-live-1"}, "key"),
        ({"unknown_media": "fetch"}, "unknown_media"),
        ({"maps": {"http://cdn.example/": "."}}, "https://"),
        ({"maps": {"https://cdn.example": "."}}, "ends with /"),
        ({"maps": {"https://cdn.example/": "./no such folder"}}, "no folder"),
        ({"limits": {"in_flight": 0}}, "in_flight"),
        ({"faults": [{"kind": "x"}]}, "fault 0"),
        ({"credits": -1}, "credits"),
        ({"prices": {"/image": -1}}, "price of /image"),
        ({"latency": "soon"}, "latency"),
        ({"seed": 1.5}, "seed"),
        ({"upload_cap": 0}, "upload_cap"),
        ({"media_cap": -1}, "media_cap"),
        ({"log_size": -1}, "log_size"),
        ({"idle_timeout": float("nan")}, "idle_timeout"),
    ],
)
def test_a_senseless_argument_is_named(wrong, named):
    """Nothing is started with what cannot be meant."""
    with pytest.raises(ValueError, match=named):
        Emulator(**wrong)


def test_importing_the_names_costs_no_server():
    """`Limits` and `Fault` can be written down without aiohttp or Pillow."""
    code = (
        "import sys, vimmerse_async.emulator as e; e.Limits, e.Fault;"
        "assert not {'aiohttp', 'PIL', 'trustme', 'asyncio'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_runs_and_says_what_is_missing():
    """Words need no picture library; looking at a picture names the extra to install."""
    code = """
import asyncio, sys
sys.modules["PIL"] = sys.modules["trustme"] = None
import aiohttp
from vimmerse_async.emulator import Emulator

async def main():
    async with Emulator(unknown_media="placeholder") as emulator:
        async with aiohttp.ClientSession(headers={"X-Api-Key": emulator.key}) as http:
            url = emulator.url + "/v2/text/prompt"
            async with http.post(url, json={"image_url": "https://cdn.example/a.png"}) as reply:
                assert reply.status == 200
            form = aiohttp.FormData()
            form.add_field("image_file", b"\\x89PNG\\r\\n\\x1a\\n", filename="a.png")
            async with http.post(emulator.url + "/v2/image", data=form) as reply:
                assert reply.status == 400
                assert "vimmerse-async[emulator]" in (await reply.json())["message"]
    try:
        Emulator(tls=True)
    except RuntimeError as error:
        assert "vimmerse-async[emulator]" in str(error)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_every_request_is_seen_without_its_key(call):
    """The log tells what was asked and how it ended; of the key only a digest."""
    caller = await call()
    await caller.post("/v2/text/refine-prompt", {"prompt": "a cat"})
    await caller.post("/v2/text/refine-prompt", {})
    first, second = caller.emulator.requests
    assert (first.route, first.status, first.outcome) == ("/v2/text/refine-prompt", 200, "200")
    assert first.fields == {"prompt": "a cat"}
    assert (first.billed, second.billed) == (1, 0)
    assert second.outcome == "422"
    assert first.key == second.key != ""
    assert caller.emulator.key not in repr(caller.emulator.requests)


async def test_a_reset_begins_anew(call, picture):
    """Log, wallet and uploads are as at the start; changes hold until the next reset."""
    caller = await call(credits=2)
    asset = (await caller.upload("/v2/image", "image_file", picture((1, 1, 1)))).value
    await caller.post("/v2/text/suggest-prompt")
    caller.emulator.reset(credits=0)
    assert caller.emulator.requests == []
    assert (await caller.post("/v2/text/suggest-prompt")).status == 402
    assert (await caller.ask("GET", f"/asset/{asset['id']}")).status == 404
    caller.emulator.reset()
    assert (await caller.post("/v2/text/suggest-prompt")).status == 200
    again = await caller.upload("/v2/image", "image_file", picture((1, 1, 1)))
    assert again.value["id"] == asset["id"]

"""The emulator looks at no address: whatever the URL, it resolves and connects to nothing."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

PRIVATE = [
    "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.88.99.1", "[::1]", "[::]", "[fe80::1]",
    "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "2130706433",
    "0x7f000001", "017700000001", "0x7f.1", "127.1", "localhost", "localhost.", "metadata.internal",
    "127.0.0.1.nip.io", "rebinding.test", "１２７.0.0.1", "127。0。0。1",
]  # fmt: skip
WATCHED: list[tuple[str, Any]] = []
_watching: list[bool] = []


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.connect"}:
        WATCHED.append((event, args))


sys.addaudithook(_watch)


@pytest.fixture
def nothing_asked() -> Iterator[None]:
    """Fail when a name is resolved, or anything but the emulator itself is connected to."""
    WATCHED.clear()
    _watching.append(True)
    yield
    _watching.clear()
    ports = {args[1][1] for event, args in WATCHED if event == "socket.connect"}
    assert len(ports) <= 1
    assert not [args for event, args in WATCHED if event != "socket.connect"]


@pytest.mark.parametrize("host", PRIVATE)
async def test_G1_G2_a_foreign_url_is_refused_with_the_mend(call, nothing_asked, host):
    """No name is resolved, so none can change its address; the answer says what to do."""
    caller = await call()
    for field in ("image_url", "video_url"):
        fields = {field: f"https://{host}/a.png", "option": "Image2Prompt"}
        answer = await caller.post("/v2/text/prompt", fields)
        assert answer.status == 400
        assert "--map" in answer.value["message"] or field in answer.value["message"]


@pytest.mark.parametrize("host", PRIVATE)
async def test_G3_G4_a_placeholder_is_made_without_looking(call, nothing_asked, host):
    """Where any URL is allowed nothing is fetched: no redirect, bomb or endless file can matter."""
    caller = await call(unknown_media="placeholder")
    fields = {"image_url": f"https://{host}:9/a.png", "image2_url": f"https://{host}/b"}
    answer = await caller.post("/v2/text/prompt", fields)
    assert answer.status in {200, 400}
    assert isinstance(answer.value, str if answer.status == 200 else dict)


async def test_G1_the_legacy_routes_fetch_nothing_either(call, nothing_asked):
    """A URL in a form is a name, too."""
    caller = await call(unknown_media="placeholder")
    for path, field in (
        ("/video", "video_url"),
        ("/audio", "audio_url"),
        ("/text/prompt", "image_url"),
    ):
        form = {field: "https://169.254.169.254/latest/meta-data"}
        answer = await caller.ask("POST", path, data=form)
        assert answer.status in {200, 400, 422}

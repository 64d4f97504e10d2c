"""`vimmerse refine`, `prompt`, `suggest` and `upload`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vimmerse_async.cli.options import seconds_typed
from vimmerse_async.emulator import Emulator, Fault


def test_refine(vimmerse: Callable[..., Any], emulator: Emulator) -> None:
    """Each text is refined, a line each, in order."""
    ended = vimmerse("refine", "Nike shoes", "a red car")
    first, second = ended.out.splitlines()
    assert ended.code == 0
    assert (first[:10], second[:9]) == ("Nike shoes", "a red car")
    assert len(emulator.requests) == 2


def test_refine_stdin(vimmerse: Callable[..., Any]) -> None:
    """`-` is all of stdin."""
    ended = vimmerse("refine", "-", stdin="a cat\n")
    assert ended.out.startswith("a cat,")


def test_prompt_has_every_field(vimmerse: Callable[..., Any], emulator: Emulator) -> None:
    """Every field of the API has its option, under the API's own name too."""
    url = "https://a.example/{}"
    ended = vimmerse(
        "prompt", "seed", "--image-url", url.format(1), "--image2", url.format(2),
        "--video-url", url.format(3), "--option", "Image2Prompt", "--mode", "scene",
    )  # fmt: skip
    assert ended.code == 0
    assert [seen.fields for seen in emulator.requests] == [
        {
            "option": "Image2Prompt", "prompt": "seed", "image_url": url.format(1),
            "image2_url": url.format(2), "video_url": url.format(3), "mode": "scene",
        }
    ]  # fmt: skip


def test_prompt_uploads_files(vimmerse: Callable[..., Any], photos: Path) -> None:
    """A picture that is a file is uploaded and looked at."""
    ended = vimmerse("prompt", "--image", photos / "red.png")
    assert ended.code == 0
    assert "red" in ended.out


def test_prompt_from_nothing(vimmerse: Callable[..., Any], emulator: Emulator) -> None:
    """Nothing given, nothing sent: the server chooses."""
    ended = vimmerse("prompt")
    assert (ended.code, len(ended.out.splitlines())) == (0, 1)
    assert [seen.fields for seen in emulator.requests] == [{}]


def test_suggest(vimmerse: Callable[..., Any]) -> None:
    """As many suggestions as are wanted, all different."""
    ended = vimmerse("suggest", "-n", "5")
    assert ended.code == 0
    assert len(set(ended.out.splitlines())) == 5


def test_upload(vimmerse: Callable[..., Any], photos: Path) -> None:
    """Hosted URLs come in the order of the files; a file that is refused fails alone."""
    ended = vimmerse("upload", photos / "red.png", photos / "notes.md", photos / "green.jpg")
    assert ended.code == 1
    assert [line[-4:] for line in ended.out.splitlines()] == [".png", ".jpg"]
    assert "notes.md" in ended.err


CODES = {
    "bad request": (("refine", "x"), Fault("status", status=400), 1),
    "key": (("refine", "x"), Fault("status", status=401), 3),
    "credits": (("suggest",), Fault("status", status=402), 3),
    "permission": (("prompt",), Fault("status", status=403), 3),
    "garbled": (("refine", "x"), Fault("wrong-shape"), 3),
    "some": (("refine", "x", "y"), Fault("status", status=404, contains='"y"'), 1),
    "upload": (("upload", "photos/red.png"), Fault("status", status=401), 3),
    "no file": (("upload", "none.png"), None, 2),
    "no picture": (("prompt", "--image", "none.png"), None, 2),
    "http": (("prompt", "--image", "http://a.example/1"), None, 2),
    "no text": (("refine", " "), None, 2),
}


@pytest.mark.parametrize(("words", "fault", "code"), CODES.values(), ids=CODES)
def test_codes(
    vimmerse: Callable[..., Any],
    photos: Path,
    emulator: Emulator,
    words: tuple[str, ...],
    fault: Fault | None,
    code: int,
) -> None:
    """Each kind of failure has its exit code and one line on stderr."""
    assert photos.exists()
    emulator.reset(faults=[fault] if fault else [])
    ended = vimmerse(*words)
    assert ended.code == code
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("vimmerse: ")


@pytest.mark.full
def test_unreachable(
    vimmerse: Callable[..., Any], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload to nobody ends with 3 and says where nobody was."""
    monkeypatch.setenv("VIMMERSE_BASE_URL", "http://127.0.0.1:9")
    ended = vimmerse("upload", photos / "red.png")
    assert ended.code == 3
    assert "127.0.0.1" in ended.err
    assert "--emulator" in ended.err


def test_a_wrong_share_is_told_beside_the_emulator_too(vimmerse: Callable[..., Any]) -> None:
    """It was taken there, and refused by the first run that paid."""
    ended = vimmerse("refine", "a fox", "--emulator", "--share", "hosts")
    assert ended.code == 2
    assert "not 'hosts'" in ended.err


def test_the_environments_proxy_is_used_when_told(
    vimmerse: Callable[..., Any],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--trust-env` sends to the proxy that the variable names; without it nothing does."""
    monkeypatch.setenv("http_proxy", emulator.url)  # no proxy, but it gets the request, and says so
    asked = ("refine", "a cat", "--base-url", "http://127.0.0.1:9", "--timeout", "1")
    assert "there is no such route" in vimmerse(*asked, "--trust-env").err
    assert "no such route" not in vimmerse(*asked).err


def test_an_authority_of_ones_own_is_a_variable(
    start: Callable[..., Any], place: Path, environment: dict[str, str]
) -> None:
    """`SSL_CERT_FILE` names the file of a private authority; the error without it says so."""
    with Emulator(tls=True) as emulator:
        Path("ca.pem").write_bytes(emulator.ca_pem)
        environment |= {"VIMMERSE_BASE_URL": emulator.url, "VIMMERSE_API_KEY": emulator.key}
        refused = start("refine", "a cat", env=environment)
        said = refused.communicate(timeout=60)[1]
        assert refused.returncode == 3
        assert "SSL_CERT_FILE" in said
        asked = start("refine", "a cat", env=environment | {"SSL_CERT_FILE": "ca.pem"})
        assert asked.communicate(timeout=60)[0].startswith("a cat,")
        assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("typed", "waits"), [("1h", 3600.0), ("15m", 900.0), ("90", 90.0), ("1h30m", 5400.0)]
)
def test_patience_is_a_time(typed: str, waits: float) -> None:
    """People type hours and minutes; a bare number is seconds."""
    assert seconds_typed(None, None, typed) == waits


@pytest.mark.parametrize("typed", ["soon", "0", "-5", "8d", "1e9", "nan", "1h 30m"])
def test_patience_that_is_no_time(vimmerse: Callable[..., Any], typed: str) -> None:
    """What is no time is said before anything is sent, with one that is."""
    ended = vimmerse("refine", "a cat", f"--patience={typed}")
    assert ended.code == 2
    assert "15m" in ended.err

"""What files say for the command: options in vimmerse.toml, the key in .env and in the keyring."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from cli_kit import Ended
from keyrings.alt.file import PlaintextKeyring

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]


@pytest.fixture
def home(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's config folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "home"))
    folder = place / "home" / "vimmerse"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def catalog(place: Path) -> str:
    (place / "shop").mkdir()
    (place / "shop" / "in.txt").write_text("https://a.example/1.png\n")
    return "shop/in.txt"


def modes(emulator: Emulator) -> list[Any]:
    return [seen.fields["mode"] for seen in emulator.requests]


def test_the_nearest_file_counts(
    vimmerse: Vimmerse, place: Path, home: Path, catalog: str, emulator: Emulator
) -> None:
    """Typed counts above a file beside the catalog, that above one here, pyproject, the user's."""
    words = ("caption", catalog, "--no-journal")
    (home / "vimmerse.toml").write_text('[caption]\nmode = "scene"\nprompt = "kept"\n')
    assert vimmerse(*words).code == 0
    (place / "pyproject.toml").write_text('[tool.vimmerse.caption]\nmode = "video"\n')
    assert vimmerse(*words).code == 0
    (place / "vimmerse.toml").write_text('[caption]\nmode = "image"\n')
    assert vimmerse(*words).code == 0
    (place / "shop" / "vimmerse.toml").write_text('[caption]\nmode = "audio"\n')
    assert vimmerse(*words).code == 0
    assert vimmerse(*words, "--mode", "scene").code == 0
    assert modes(emulator) == ["scene", "video", "image", "audio", "scene"]
    assert {seen.fields["prompt"] for seen in emulator.requests} == {"kept"}


def test_a_profile_counts_above_the_rest(
    vimmerse: Vimmerse, place: Path, catalog: str, emulator: Emulator, monkeypatch: Any
) -> None:
    """--profile or $VIMMERSE_PROFILE takes [profiles.NAME]; one that no file has is refused."""
    text = "limit = 2\n[caption]\nmode = 'image'\n[profiles.clips.caption]\nmode = 'video'\n"
    (place / "vimmerse.toml").write_text(text)
    words = ("caption", catalog, "--no-journal")
    assert vimmerse(*words, "--profile", "clips").code == 0
    monkeypatch.setenv("VIMMERSE_PROFILE", "clips")
    assert vimmerse(*words).code == 0
    assert modes(emulator) == ["video", "video"]
    monkeypatch.setenv("VIMMERSE_PROFILE", "clisp")
    ended = vimmerse(*words)
    assert ended.code == 2
    assert "no file has [profiles.clisp]" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[caption]\nmod = 'image'", "says mod, which is no option of `vimmerse caption`; did you"),
        ("[caption]\nmode = 'picture'", "'picture' is not one of"),
        ("limit = 'many'", "'many' is not a valid"),
        ("caption = 1", "caption must be a table: [caption]"),
        ("mode = [", "vimmerse.toml cannot be read"),
        ("base-url = 'https://evil.example'", "decides where the key goes"),
        ("[caption]\napi_key_file = '/etc/passwd'", "decides where the key goes"),
        ("trust-env = true", "decides where the key goes"),
    ],
)
def test_a_file_that_makes_no_sense(
    vimmerse: Vimmerse, place: Path, catalog: str, emulator: Emulator, text: str, said: str
) -> None:
    """What is no option, no value, or would lead the key elsewhere is refused by name, unsent."""
    (place / "vimmerse.toml").write_text(text)
    ended = vimmerse("caption", catalog, "--no-journal")
    assert ended.code == 2
    assert said in ended.err
    assert not emulator.requests


def test_the_users_own_file_may_name_the_server(
    vimmerse: Vimmerse, home: Path, emulator: Emulator, monkeypatch: Any
) -> None:
    """The file in the user's config folder may say where the key is and where it goes."""
    monkeypatch.delenv("VIMMERSE_BASE_URL")
    monkeypatch.delenv("VIMMERSE_API_KEY")
    (home / "key").write_text(emulator.key)
    (home / "key").chmod(0o600)
    (home / "vimmerse.toml").write_text(
        f"base-url = {emulator.url!r}\napi-key-file = {str(home / 'key')!r}\n"
    )
    assert vimmerse("refine", "a fox").code == 0


def test_a_key_in_dotenv(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, monkeypatch: Any
) -> None:
    """The key and its address are taken from .env; its address alone leads no other key away."""
    monkeypatch.delenv("VIMMERSE_BASE_URL")
    (place / ".env").write_text("VIMMERSE_BASE_URL=https://evil.example\n")
    monkeypatch.setenv("VIMMERSE_BASE_URL", emulator.url)
    assert vimmerse("refine", "a fox").code == 0
    monkeypatch.delenv("VIMMERSE_BASE_URL")
    monkeypatch.delenv("VIMMERSE_API_KEY")
    lines = f"VIMMERSE_API_KEY='{emulator.key}'\nVIMMERSE_BASE_URL={emulator.url}\n"
    (place / ".env").write_text(lines)
    assert vimmerse("refine", "a fox").code == 0
    assert len(emulator.requests) == 2


def test_a_key_in_the_keyring(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, monkeypatch: Any
) -> None:
    """What `login` keeps is used for its origin alone, until `logout`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
    monkeypatch.setattr("sys.stdin", None)
    keyring.set_keyring(PlaintextKeyring())
    monkeypatch.delenv("VIMMERSE_API_KEY")
    assert "keep it with `vimmerse login`" in vimmerse("refine", "a fox").err
    assert "no key was given" in vimmerse("login", stdin="\n").err
    ended = vimmerse("login", stdin=f"{emulator.key}\n")
    assert (ended.code, emulator.key in ended.err + ended.out) == (0, False)
    assert vimmerse("refine", "a fox").code == 0
    other = vimmerse("refine", "a fox", "--base-url", "http://127.0.0.1:1")
    assert (other.code, len(emulator.requests)) == (2, 1)
    assert vimmerse("logout").code == 0
    assert vimmerse("refine", "a fox").code == 2
    assert "has no key for" in vimmerse("logout").err


def test_keyring_is_an_extra() -> None:
    """Without the package, `login` names the extra, and the other places still work."""
    code = (
        "import sys; sys.modules['keyring'] = None\n"
        "from vimmerse_async.cli.app import run\n"
        "sys.exit(run(['login']))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        input="test-key\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert 'pip install "vimmerse-async[keyring]"' in said.stderr

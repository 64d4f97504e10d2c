"""Where a key could be left behind: command lines, terminals, files, other processes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vimmerse_async.emulator import Emulator

Start = Callable[..., "subprocess.Popen[str]"]
CORE = "S3NT1NEL5e8a77"
KEY = f"test-only-{CORE}"
LIVE = f"live-{CORE}"


@pytest.fixture
def emulator() -> Any:
    """An emulator that takes one key, and is slow enough to be looked at."""
    with Emulator(key=KEY, unknown_media="placeholder", latency="fixed:0.3") as running:
        yield running


def test_F9_F10_a_run_leaves_no_key_anywhere(start: Start, place: Path) -> None:
    """Not in the command line while it runs, on no stream, and in no file that it writes."""
    (place / "urls.txt").write_text("https://a.example/1.png\nhttp://bad\n" * 5)
    process = start(
        "caption", "urls.txt", "-o", "out.csv", "--journal", "run.db", "--limit", "2"
    )  # fmt: skip
    shown = b""
    while process.poll() is None:
        shown += Path(f"/proc/{process.pid}/cmdline").read_bytes()
        time.sleep(0.02)
    out, err = process.communicate(timeout=30)
    assert b"caption" in shown
    assert CORE.encode() not in shown
    assert CORE not in out + err
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"urls.txt", "out.csv", "run.db"}
    assert (place / "run.db").stat().st_mode & 0o077 == 0
    for path in files:
        assert CORE.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "words",
    [
        ("refine", "--api-key", LIVE, "x"),
        ("refine", f"--api-key={LIVE}", "x"),
        ("caption", "x.csv", "--key", LIVE),
        ("refine", "-k", LIVE, "x"),
        ("emulator", "--key", LIVE),
        ("emulator", "exec", "--key", LIVE, "--", "true"),
    ],
    ids=lambda words: " ".join(words).replace(LIVE, "KEY"),
)
def test_F9_no_option_takes_a_key(start: Start, words: tuple[str, ...]) -> None:
    """A key in the command line is refused, and not repeated in the refusal."""
    out, err = (process := start(*words)).communicate(timeout=30)
    assert process.returncode == 2
    assert CORE not in out + err
    assert err


def test_F9_a_wrong_key_is_not_shown(
    start: Start, environment: dict[str, str], emulator: Emulator
) -> None:
    """What the server refuses, or what can be no key, is described without showing it."""
    for key in (f"wrong-{CORE}", f" {CORE}", f'"{CORE}"', f"{CORE}\nX"):
        process = start("refine", "x", env={**environment, "VIMMERSE_API_KEY": key})
        out, err = process.communicate(timeout=30)
        assert process.returncode in {2, 3}
        assert CORE not in out + err


def test_F9_answers_hold_no_key(start: Start, place: Path) -> None:
    """What a command writes shows what was asked and answered, nothing else."""
    (place / "urls.txt").write_text("https://a.example/1.png\n")
    for words in (
        ("caption", "urls.txt", "-o", "out.jsonl", "--journal", "run.db"),
        ("export", "run.db", "-o", "again.jsonl"),
        ("report", "run.db", "-o", "page.html"),
        ("refine", "x"),
        ("suggest",),
    ):
        out, err = start(*words).communicate(timeout=30)
        assert CORE not in out + err
    assert json.loads((place / "out.jsonl").read_text())["prompt"]
    assert CORE not in (place / "page.html").read_text() + (place / "again.jsonl").read_text()


def test_F11_a_command_beside_the_emulator_has_no_real_key(
    start: Start, environment: dict[str, str]
) -> None:
    """Its environment names the emulator and the emulator's own key."""
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    process = start(
        "emulator", "exec", "--", sys.executable, "-c", code,
        env={**environment, "VIMMERSE_API_KEY": LIVE, "VIMMERSE_BASE_URL": "https://a.example"},
    )  # fmt: skip
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    given = json.loads(out)
    assert CORE not in out
    assert given["VIMMERSE_API_KEY"].startswith(("test-", "demo-"))
    assert given["VIMMERSE_BASE_URL"].startswith("http://127.0.0.1:")


def test_F11_nothing_else_starts_processes() -> None:
    """Captioning, uploading and the emulator itself run in one process: no child sees the key."""
    code = (
        "import sys\n"
        "def guard(event, _):\n"
        "    assert event not in {'subprocess.Popen', 'os.posix_spawn', 'os.exec', 'os.fork'}\n"
        "sys.addaudithook(guard)\n"
        "from vimmerse_async.cli.app import run\n"
        "sys.exit(run(['refine', 'a cat', '--emulator']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cat" in done.stdout

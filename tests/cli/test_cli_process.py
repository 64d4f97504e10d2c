"""The real command in a process of its own: start, signals, pipes, terminals."""

import csv
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import COMMAND, wait_until, write_urls

from vimmerse_async.emulator import Emulator

Start = Callable[..., "subprocess.Popen[str]"]


def default_signals() -> None:
    """A shell's background jobs ignore SIGINT, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def python(code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **options,
    )


def answered(emulator: Emulator) -> int:
    return sum(seen.status == 200 for seen in emulator.requests)


def test_version_imports_next_to_nothing() -> None:
    """`vimmerse --version` loads no HTTP library, no event loop and not even the command line's."""
    ended = python(
        "import sys; before = set(sys.modules); sys.argv = ['vimmerse', '--version']\n"
        "from vimmerse_async.cli import main\n"
        "code = main(); print(code, *sorted(set(sys.modules) - before))"
    )
    version, rest = ended.stdout.splitlines()
    code, *modules = rest.split()
    assert version.startswith("vimmerse ")
    assert code == "0"
    assert not {"aiohttp", "asyncio", "attr", "click", "rich", "ssl"} & set(modules)
    assert len(modules) <= 40


def test_help_needs_no_client() -> None:
    """The help of every command is shown without a library of HTTP, a loop or a database."""
    commands = ["caption", "refine", "prompt", "suggest", "upload", "export", "report", "emulator"]
    ended = python(
        "import sys; before = set(sys.modules); from vimmerse_async.cli.app import run\n"
        f"codes = [run([command, '--help']) for command in {commands}]\n"
        "print(sum(codes), *sorted(set(sys.modules) - before))"
    )
    code, *modules = ended.stdout.splitlines()[-1].split()
    assert code == "0"
    assert all(f"Usage: vimmerse {command}" in ended.stdout for command in commands)
    assert not {"aiohttp", "asyncio", "ssl", "sqlite3", "yarl", "PIL"} & set(modules)
    assert len(modules) <= 300


@pytest.mark.parametrize("missing", ["rich_click", "click"])
def test_missing_extra(missing: str) -> None:
    """Without the extra `cli` the command says in one line what to install, and ends with 2."""
    ended = python(
        f"import sys; sys.modules['{missing}'] = None; sys.argv = ['vimmerse', 'caption', 'x']\n"
        "from vimmerse_async.cli import main; sys.exit(main())"
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        'vimmerse: the command line needs the extra `cli`: pip install "vimmerse-async[cli]"'
    ]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.full),
    ],
)
def test_D6_first_signal(
    start: Start, place: Path, emulator: Emulator, number: signal.Signals, code: int
) -> None:
    """The first signal sends nothing new, waits for what is in flight, and keeps every answer."""
    emulator.reset(latency=0.5)
    write_urls(place / "in.txt", 1_000)
    process = start("caption", "in.txt", "-o", "out.jsonl", preexec_fn=default_signals)
    wait_until(lambda: answered(emulator) > 3)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    rows = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert process.returncode == code
    asked = [row for row in rows if row["prompt"]]
    assert len(rows) == 1_000
    assert all("not asked yet" in row["error"] for row in rows if not row["prompt"])
    assert len(asked) == answered(emulator) == len(emulator.requests)
    assert "stopping" in err
    assert f"stopped: {len(asked)} of 1,000 rows" in err
    assert "Traceback" not in err


def test_D6_second_signal(start: Start, place: Path, emulator: Emulator) -> None:
    """The second signal does not wait for anything, and still keeps what was answered."""
    emulator.reset(latency=60)
    write_urls(place / "in.txt", 1_000)
    process = start("caption", "in.txt", "-o", "out.jsonl", preexec_fn=default_signals)
    assert process.stderr is not None
    wait_until(lambda: len(emulator.requests) > 3)
    process.send_signal(signal.SIGINT)
    while "stopping" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert process.returncode == 130
    assert sorted(path.name for path in place.iterdir()) == ["in.txt", "out.jsonl.journal"]


def test_signal_before_the_run(start: Start, place: Path) -> None:
    """A signal while a pipe has nothing yet ends the command at once, without a traceback."""
    process = start("caption", "-", stdin=subprocess.PIPE, preexec_fn=default_signals)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=2)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert process.stderr is not None
    assert process.returncode == 130
    assert "Traceback" not in process.stderr.read()


def test_slow_pipe(start: Start, emulator: Emulator) -> None:
    """Each line of a slow pipe is asked and answered when it comes, not when the pipe ends."""
    process = start("caption", "-", "--to", "jsonl", stdin=subprocess.PIPE, bufsize=1)
    assert process.stdin is not None
    assert process.stdout is not None
    for place in range(3):
        process.stdin.write(f"https://a.example/{place}.png\n")
        assert json.loads(process.stdout.readline())["url"].endswith(f"{place}.png")
    process.stdin.close()
    assert process.wait(timeout=10) == 0
    assert len(emulator.requests) == 3


def test_closed_pipe(start: Start, place: Path) -> None:
    """A reader who has seen enough ends the command with 4, and nobody sees a traceback."""
    write_urls(place / "in.txt", 1_000)
    process = start("caption", "in.txt")
    assert process.stdout is not None
    assert process.stdout.readline() == "url,prompt,error\n"
    process.stdout.close()
    process.wait(timeout=30)
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.returncode == 4
    words = [line.partition(" ")[0] for line in said.splitlines()]
    assert words == ["no", "captioning"], "there is no journal"


def test_full_disk(start: Start, place: Path) -> None:
    """When the disk is full the run ends with 4, and says where the rows so far are."""
    write_urls(place / "in.txt", 600)

    def limited() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start("caption", "in.txt", "-o", "out.csv", "--no-journal", preexec_fn=limited)
    _, err = process.communicate(timeout=60)
    (kept,) = place.glob("out.csv.*.part")
    rows = list(csv.reader(kept.read_text().splitlines()))
    assert process.returncode == 4
    assert "File too large" in err
    assert f"the rows so far are in {kept}" in err
    assert len(rows) > 50
    assert not (place / "out.csv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [("refine", "x"), ("caption", "in.txt")])
def test_full_standard_output(start: Start, place: Path, words: tuple[str, ...]) -> None:
    """A standard output that takes nothing ends the command with 4 and a reason."""
    write_urls(place / "in.txt", 3)
    with Path("/dev/full").open("w") as full:
        process = start(*words, stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 4
    assert err.splitlines()[-1] == (
        "vimmerse: the standard output cannot be written: No space left on device"
    )


def test_terminal(place: Path, environment: dict[str, str]) -> None:
    """On a terminal there is a bar, rows stand above it, and colours go with NO_COLOR."""
    write_urls(place / "in.txt", 3)
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        shown = on_terminal(
            ["caption", "in.txt"], {**environment, **extra, "TERM": "xterm-256color"}
        )
        assert "3 of 3" in shown
        assert "━" in shown
        assert shown.count("was not seen") == 3
        assert ("\x1b[38;5;" in shown) is coloured


def test_B11_C18_G17_terminal_is_not_obeyed_by_prompts(
    place: Path, environment: dict[str, str], emulator: Emulator
) -> None:
    """Control codes in an answer or in the input are shown on a terminal, not sent to it."""
    emulator.reset(faults=[{"kind": "wrong-shape", "body": '"red \\u001b]0;owned\\u0007"'}])
    shown = on_terminal(["refine", "x"], {**environment, "TERM": "dumb"})
    assert "red \\x1b]0;owned\\x07" in shown
    assert "\x1b" not in shown


def on_terminal(words: list[str], environment: dict[str, str]) -> str:
    """Return all that a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        while select.select([ours], [], [], 30)[0]:
            shown += os.read(ours, 65_536)
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait(timeout=10)
    return shown.decode()


def test_demo(start: Start, place: Path, environment: dict[str, str]) -> None:
    """The command that `make demo` runs needs neither key nor network, and fills every row."""
    examples = Path(__file__).parents[2] / "examples" / "catalog"
    for name in ("VIMMERSE_API_KEY", "VIMMERSE_BASE_URL"):
        del environment[name]
    process = start(
        "caption", examples, "-o", place / "captions.csv", "--emulator", env=environment
    )
    _, err = process.communicate(timeout=60)
    with (place / "captions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert process.returncode == 0, err
    assert len(rows) >= 13
    assert all(row["prompt"] and not row["error"] for row in rows)


HELP = """
import rich_click as click
from vimmerse_async.cli.app import vimmerse

def show(command, context):
    print(context.command_path, repr(command.help), command.get_help(context))
    for name in getattr(command, "list_commands", lambda _: ())(context):
        below = command.get_command(context, name)
        show(below, click.RichContext(below, context, info_name=name))

show(vimmerse, click.RichContext(vimmerse, info_name="vimmerse"))
"""


def test_help_needs_no_docstrings() -> None:
    """Python's -OO, which drops docstrings, leaves every command its help."""
    plain, bare = (
        subprocess.run(
            [sys.executable, *words, "-c", HELP], capture_output=True, text=True, check=True
        ).stdout
        for words in ([], ["-OO"])
    )
    assert bare == plain
    assert plain.count("--help") >= 10
    assert " None " not in plain

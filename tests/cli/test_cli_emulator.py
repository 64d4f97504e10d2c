"""`vimmerse emulator`: alone, and beside another command."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rich_click as click
from drawn import RED, encoded, solid

from vimmerse_async.cli.emulator_process import build
from vimmerse_async.emulator import Emulator, Fault, Latency, Limits

Start = Callable[..., subprocess.Popen[str]]
SAY_VARIABLES = (
    "import os, sys; print(os.environ['VIMMERSE_BASE_URL'], os.environ['VIMMERSE_API_KEY'])"
)


def test_alone(start: Start) -> None:
    """It prints two lines for a shell to read, answers, and ends with the signal's code."""
    process = start("emulator", "--key", "test-mine")
    assert process.stdout is not None
    lines = [process.stdout.readline().strip().split("=") for _ in range(2)]
    assert [name for name, _ in lines] == ["export VIMMERSE_BASE_URL", "export VIMMERSE_API_KEY"]
    assert lines[1][1] == "test-mine"
    with urllib.request.urlopen(f"{lines[0][1]}/health", timeout=10) as reply:
        assert reply.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143


def test_exec(start: Start) -> None:
    """A command beside it finds the emulator in its variables; its output and code are its own."""
    code = f"{SAY_VARIABLES}; sys.exit(7)"
    process = start("emulator", "exec", "--key", "test-it", "--", sys.executable, "-c", code)
    out, err = process.communicate(timeout=30)
    url, key = out.split()
    assert (process.returncode, key, err) == (7, "test-it", "")
    assert url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), 137),
        (("no-such-command",), 127),
        (("/etc/passwd",), 126),
    ],
)
def test_exec_codes(vimmerse: Callable[..., Any], words: tuple[str, ...], code: int) -> None:
    """What a shell would answer for the command is the exit code; signals are as before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert vimmerse("emulator", "exec", "--", *words).code == code
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_exec_passes_signals_on(start: Start) -> None:
    """A SIGTERM reaches the command, which may end in its own way."""
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(5)); "
        "print('ready', flush=True); time.sleep(60)"
    )
    process = start("emulator", "exec", "--", sys.executable, "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 5


def test_exec_with_tls(start: Start, photos: Path) -> None:
    """Over HTTPS the command also gets the authority to trust."""
    process = start(
        "emulator", "exec", "--tls", "--", Path(sys.executable).with_name("vimmerse"),
        "prompt", "--image", photos / "red.png",
    )  # fmt: skip
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "red" in out


def test_exec_maps(start: Start, place: Path) -> None:
    """A mapped folder answers for a host, as in a catalog of URLs."""
    (place / "pictures").mkdir()
    (place / "pictures" / "a.png").write_bytes(encoded(solid(RED)))
    process = start(
        "emulator", "--map", "https://cdn.example/=pictures", "exec", "--",
        Path(sys.executable).with_name("vimmerse"), "prompt", "--image", "https://cdn.example/a.png",
    )  # fmt: skip
    out, _ = process.communicate(timeout=30)
    assert "red" in out


def test_every_flag() -> None:
    """Every flag reaches the emulator."""
    emulator = build({
        "per_second": 10.0, "burst": 20, "per_minute": 300, "window": "sliding", "in_flight": 4,
        "retry_after": "date", "credits": 7.0, "prices": ("/v2/image=2",), "seed": 3,
        "latency": "uniform:0.1,2", "key": "test-k", "any_url": True,
    })  # fmt: skip
    account = emulator.account
    assert account.limiter.limits(0) == Limits(
        per_second=10, burst=20, per_minute=300, window="sliding", in_flight=4, retry_after="date"
    )
    assert (account.wallet.balance, account.wallet.prices["/v2/image"]) == (7, 2)
    assert account.clockwork.latency == Latency("uniform", 0.1, 2)
    assert (account.seed, emulator.key) == (3, "test-k")


@pytest.mark.parametrize("ending", ["json", "toml"])
def test_fault_file(tmp_path: Path, ending: str) -> None:
    """A plan comes from a file; a flag goes before what the file says."""
    path = tmp_path / f"plan.{ending}"
    plan = {
        "faults": [{"kind": "status", "status": 503}],
        "limits": {"in_flight": 2, "per_minute": 5},
    }
    toml = '[[faults]]\nkind = "status"\nstatus = 503\n[limits]\nin_flight = 2\nper_minute = 5\n'
    path.write_text(json.dumps(plan) if ending == "json" else toml)
    emulator = build({"faults": str(path), "in_flight": 9})
    assert emulator.account.plan.faults == (Fault("status", status=503),)
    assert emulator.account.limiter.limits(0) == Limits(in_flight=9, per_minute=5)


def test_pages_may_be_named(start: Start) -> None:
    """Each origin that is named may ask from a browser."""
    code = (
        "import os, urllib.request as u\n"
        "for page in ('http://localhost:5173', 'https://app.example', 'https://no.example'):\n"
        "    asked = u.Request(os.environ['VIMMERSE_BASE_URL'] + '/health',"
        " headers={'Origin': page})\n"
        "    print(u.urlopen(asked).headers['Access-Control-Allow-Origin'])"
    )
    flags = ("--cors", "http://localhost:5173", "--cors", "https://app.example")
    process = start("emulator", "exec", *flags, "--", sys.executable, "-c", code)
    out, err = process.communicate(timeout=30)
    assert (out.split(), err) == (["http://localhost:5173", "https://app.example", "None"], "")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "page": ({"cors": ("http://localhost:5173/",)}, "without a path"),
    "map": ({"maps": ("https://cdn.example/",)}, "--map"),
    "folder": ({"maps": ("https://cdn.example/=/none",)}, "no folder"),
    "price": ({"prices": ("/v2/image=dear",)}, "dear"),
    "burst": ({"burst": 3}, "per_second"),
    "latency": ({"latency": "slow"}, "slow"),
    "host": ({"host": "0.0.0.0"}, "other machines"),
    "key": ({"key": "live"}, "test-"),
}


@pytest.mark.parametrize(("flags", "reason"), WRONG.values(), ids=WRONG)
def test_wrong_flags(flags: dict[str, Any], reason: str) -> None:
    """A flag that makes no sense is a usage error with the emulator's own reason."""
    with pytest.raises(click.UsageError) as caught:
        build(flags)
    assert reason in str(caught.value)


def test_taken_port(vimmerse: Callable[..., Any], emulator: Emulator) -> None:
    """A port that is in use is told in one line, alone and beside a command."""
    port = emulator.url.rpartition(":")[2]
    for words in (("emulator", "--port", port), ("emulator", "exec", "--port", port, "--", "true")):
        ended = vimmerse(*words)
        assert ended.code == 2
        assert f"port {port}" in ended.err

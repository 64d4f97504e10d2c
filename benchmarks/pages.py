"""Results on disk, and the pages made of them."""

import json
import os
import platform
import re
import textwrap
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from benchmarks.report import Bar, Result, picture, table

HOME = Path(__file__).parent
RESULTS = HOME / "results"
ROOT = HOME.parent
PEERS = (
    "aiohttp",
    "uvloop",
    "wreq",
    "pyreqwest",
    "pyqwest",
    "httpx2",
    "openai",
    "requests",
    "tenacity",
    "aiolimiter",
    "aiometer",
)


def save(name: str, result: Result, server: str) -> None:
    """Write a result into the file of today, beside those that stand there already."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    content["machine"] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "server": server,
        "versions": _versions(),
    }
    content.setdefault("results", {})[name] = attrs.asdict(result)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _versions() -> dict[str, str]:
    """Return the versions of the peers that are installed: not every benchmark needs all."""
    found: dict[str, str] = {}
    for name in PEERS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def load() -> tuple[dict[str, Result], dict[str, Any], str]:
    """Return the newest result of every benchmark, the newest machine and its date."""
    found: dict[str, Result] = {}
    machine: dict[str, Any] = {}
    date = ""
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        machine, date = content["machine"], path.stem
        for name, each in content["results"].items():
            bars = [Bar(**bar) for bar in each.pop("bars")]
            found[name] = Result(**each, bars=bars)
    return found, machine, date


def write() -> None:
    """Write every page that shows results."""
    found, machine, date = load()
    if not found:
        raise SystemExit("there are no results yet: run `make bench`")
    for name, result in found.items():
        if result.bars:
            (RESULTS / f"{name}.svg").write_text(picture(result), "utf-8")
    intro = _intro(machine, date)
    sections = [_section(name, result, "results/") for name, result in found.items()]
    page = f"# What was measured\n\n{intro}\n\n{HOW}\n\n" + "\n\n".join(sections) + "\n"
    (HOME / "README.md").write_text(page, "utf-8")
    costs = [_section(name, found[name], None) for name in COSTS if name in found]
    page = f"# What it costs\n\n{intro}\n\n{SUMMARY}\n\n" + "\n\n".join(costs) + f"\n\n{ADVICE}\n"
    (ROOT / "docs" / "costs.md").write_text(page, "utf-8")
    _put_into_readme(found)
    _put_into_trace(found)


def wrapped(text: str) -> str:
    """Return a paragraph in lines that a diff can show."""
    return "\n".join(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False))


def _intro(machine: dict[str, Any], date: str) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return wrapped(
        f"Measured on {date}: Python {machine['python']}, {machine['system']}, "
        f"{machine['cores']} cores, the client on one and {machine['server']} on another; "
        f"{versions}. Medians of interleaved rounds; only ratios carry over to other machines."
    )


def _section(name: str, result: Result, pictures: str | None) -> str:
    shown = f"\n\n![{result.title}]({pictures}{name}.svg)" if pictures and result.bars else ""
    return (
        f"## {result.title}\n\n{wrapped(result.text)}\n\n{table(result.header, result.rows)}{shown}"
    )


def _put_into_readme(found: dict[str, Result]) -> None:
    if "throughput" not in found:
        return
    figures = found["throughput"].figures
    names = {
        "vimmerse_async, uvloop": "**vimmerse_async**, uvloop",
        "vimmerse_async": "**vimmerse_async**",
        "idiomatic aiohttp": "aiohttp, semaphore, gather",
        "tenacity + aiolimiter + aiohttp": "the same with tenacity and aiolimiter",
        "openai's client, aiohttp transport": "openai's client, aiohttp transport",
        "httpx2": "httpx2, semaphore, gather",
    }
    rows = [
        [shown, f"{figures[f'wall: {name}']:.2f}", f"{figures[f'cpu: {name}']:.2f}"]
        for name, shown in names.items()
        if f"wall: {name}" in figures
    ]
    text = table(("64 requests in flight", "requests/s, ×", "CPU per request, ×"), rows)
    _put_between("costs", text, ROOT / "README.md")


def _put_into_trace(found: dict[str, Result]) -> None:
    if "telemetry" in found:
        shown = found["telemetry"]
        _put_between("telemetry", table(shown.header, shown.rows), ROOT / "docs" / "trace.md")


def _put_between(mark: str, text: str, path: Path) -> None:
    page = path.read_text("utf-8")
    marked = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    path.write_text(marked.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page), "utf-8")


COSTS = ("throughput", "overhead", "memory", "inflight", "import", "journal")

HOW = """\
`make bench` measures all of it in a quarter of an hour and writes this page, `make bench-quick`
prints the most important part in two minutes; `python -m benchmarks NAME…` measures some, and
`python -m benchmarks soak` lets everything happen at once for an hour and fails when anything grew.
Every client runs in a process of its own, every round in a new order; a ratio is taken within a
round, and the control is the same client measured twice."""

SUMMARY = """\
A batch row costs less than the same request in hand-written aiohttp, with everything on: input
checks, the learned limit, retries, deadlines, capped replies and the guard against stray replies.
Nothing here needs tuning; two things are worth knowing.

- **uvloop.** The command line uses it when it is installed (`pip install "vimmerse-async[speed]"`).
  In a program of your own, run `uvloop.run(main())` in place of `asyncio.run(main())`.
- **What slows it down.** `proxy=`, a proxy that `trust_env=True` finds, and `trace_configs=` send
  every request through aiohttp's client session, which costs about twice as much CPU."""

ADVICE = """\
## Where the time goes

Counted in instructions, half of a row is the event loop, the socket and aiohttp's parser, a sixth
the call itself (deadline, attempt, retry bookkeeping), a quarter the learned limit, the rest the
batch. A model that takes seconds to answer is four orders of magnitude away: what counts in
practice is how many requests the account allows in flight, and that the client finds it (see
[limits](limits.md))."""

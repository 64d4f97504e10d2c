"""What hooks cost, in instructions: taken out of the code, switched off, and OpenTelemetry on.

Callgrind counts; a run of few calls is taken from a run of many, so that start-up falls out. The
loop's clock goes on by how often it is read, so that a busy machine makes no more timers fire.
"""

import ast
import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

from benchmarks.report import Bar, Result

TAKEN_OUT, OFF = "hooks taken out of the code", "no hook"
NO_SDK, SDK = "OpenTelemetryHook, no SDK set up", "OpenTelemetryHook, spans and metrics"
SUBJECTS = (TAKEN_OUT, OFF, NO_SDK, SDK)
FEW, MANY = 200, 1200
RUNTIME = "vimmerse_async.runtime"


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Count the instructions of a call for each subject."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")
    many = FEW + 300 if quick else MANY
    each = {name: _of_a_call(name, origin, many) for name in SUBJECTS}
    more = {name: 100 * (count / each[TAKEN_OUT] - 1) for name, count in each.items()}
    return Result(
        title="Telemetry",
        text=(
            "Instructions of one `await image_2_prompt(session, url)` on a warm connection, "
            "counted by callgrind: with every mention of hooks taken out of the code, as it comes, "
            "and with the hook for OpenTelemetry, whose spans and metrics are made and dropped."
        ),
        header=("session", "instructions/call", "more"),
        rows=[[name, f"{each[name]:,.0f}", f"{more[name]:+.2f} %"] for name in SUBJECTS],
        unit="thousand instructions per call",
        bars=[Bar(name, *[each[name] / 1e3] * 3, own=True) for name in SUBJECTS],
        figures={f"more %: {name}": more[name] for name in SUBJECTS},
    )


def _of_a_call(name: str, origin: str, many: int) -> float:
    subprocess.run(_command(name, origin, 1), check=True)  # now every module is compiled
    few, all_ = (_instructions(name, origin, count) for count in (FEW, many))
    return (all_ - few) / (many - FEW)


def _instructions(name: str, origin: str, count: int) -> int:
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, *_command(name, origin, count)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    print(f"  {name}, {count} calls", file=sys.stderr, flush=True)
    return int(found[1])


def _command(name: str, origin: str, count: int) -> list[str]:
    wanted = json.dumps([name, origin, count])
    return [sys.executable, "-m", "benchmarks.telemetry", wanted]


class _WithoutHooks(ast.NodeTransformer):
    """Takes out every branch that asks whether there are hooks."""

    def __init__(self) -> None:
        self.taken = 0

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if ast.unparse(node.test) in {"self.hooks.active", "self.hooks.tracing"}:
            self.taken += 1
            return None
        return self.generic_visit(node)


def _take_hooks_out() -> None:
    spec = importlib.util.find_spec(RUNTIME)
    if spec is None or spec.loader is None or spec.origin is None:
        raise SystemExit(f"{RUNTIME} is not found")
    cut = _WithoutHooks()
    tree = cut.visit(ast.parse(spec.loader.get_source(RUNTIME)))  # type: ignore[attr-defined]
    if cut.taken != 2:
        raise SystemExit(f"{cut.taken} branches of {RUNTIME} ask for hooks, not two")
    module = ModuleType(RUNTIME)
    sys.modules[RUNTIME] = module
    exec(compile(ast.fix_missing_locations(tree), spec.origin, "exec"), module.__dict__)


def _hooks(name: str) -> Sequence[object]:
    if name in {TAKEN_OUT, OFF}:
        return ()
    from vimmerse_async.integrations.otel import OpenTelemetryHook

    if name == NO_SDK:
        return [OpenTelemetryHook()]
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider

    meters = MeterProvider([InMemoryMetricReader()])
    return [OpenTelemetryHook(tracer_provider=TracerProvider(), meter_provider=meters)]


class _CountedClock(asyncio.SelectorEventLoop):
    looks = 0

    def time(self) -> float:
        self.looks += 1
        return self.looks * 2e-5


async def _calls(name: str, origin: str, count: int) -> None:
    from benchmarks.clients import KEY, url
    from vimmerse_async import VimmerseSession, image_2_prompt

    async with VimmerseSession(KEY, base_url=origin, hooks=_hooks(name)) as session:
        for number in range(count):
            await image_2_prompt(session, url(number))


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    if wanted[0] == TAKEN_OUT:
        _take_hooks_out()
    with asyncio.Runner(loop_factory=_CountedClock) as runner:
        runner.run(_calls(*wanted))

"""Measure this project beside its peers, and write down what was found.

    python -m benchmarks [NAME…] [--quick]     measure: all but ray and soak, or some by name
    python -m benchmarks report                write the pages again from the newest results

Results go to `benchmarks/results/<date>.json`; from the newest results of every benchmark come
`benchmarks/README.md`, its pictures, `docs/costs.md` and the table in `README.md`. A quick run
only prints. Close what else runs: the ratios stand it, the microseconds do not.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import (
    catalog,
    cluster,
    forms,
    imports,
    inflight,
    memory,
    overhead,
    overload,
    pages,
    scripts,
    soak,
    telemetry,
    throughput,
    visitors,
)
from benchmarks.report import Result, table
from benchmarks.server import server
from benchmarks.sharing import figures as sharing

BENCHMARKS: dict[str, Callable[..., Result]] = {
    "throughput": throughput.run,
    "overhead": overhead.run,
    "memory": memory.run,
    "inflight": inflight.run,
    "import": imports.run,
    "telemetry": telemetry.run,
    "catalog": catalog.run,
    "forms": forms.run,
    "journal": scripts.journal,
    "discovery": scripts.discovery,
    "visitors": visitors.run,
    "overload": overload.run,
    "sharing": sharing.run,
    "ray": cluster.run,
    "soak": soak.run,
}
QUICK = ("throughput", "overhead", "import")
USUAL = tuple(name for name in BENCHMARKS if name not in {"forms", "ray", "soak"})
"""By name only: Ray is large (`make .venv/ray`), a soak takes an hour, a minute a round, and six
forms of a million rows as long."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, "report", []], metavar="NAME")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--quick", action="store_true", help="the shortest that tells something")
    options = parser.parse_args()
    if options.names == ["report"]:
        pages.write()
        return
    names = options.names or (QUICK if options.quick else USUAL)
    failed: list[str] = []
    with ExitStack() as stack:
        kind, origin = stack.enter_context(server())
        for name in names:
            begun = time.monotonic()
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                result = BENCHMARKS[name](origin, quick=options.quick, rounds=options.rounds)
            except (subprocess.SubprocessError, SystemExit) as error:
                print(f"  {name} failed and is left out: {error}", file=sys.stderr)
                failed.append(name)
                continue
            print(f"\n## {result.title}\n\n{table(result.header, result.rows)}\n", flush=True)
            if not options.quick:
                pages.save(name, result, kind)
            print(f"  {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    if not options.quick:
        pages.write()
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; the other results are written")


if __name__ == "__main__":
    main()

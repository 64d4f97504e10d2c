"""Who finds the limit of a real gateway, whatever its refusal is called?

    python -m benchmarks.discovery [--seconds 40] [--only NAME…] [--at-once 3] [--write]

Runs every gateway that is installed, with its default refusal and with 429; three clients side by
side, each before a gateway of its own. A cell is the share of what the limit allows, cold start
included, and the share of requests that were refused, in percent. Some gateways run beside each
other: twenty requests a second are little. Lines come as they are ready, the table at the end.
`--write` puts what was measured into the table in `gateways.md` and on `docs/limits.md`, and draws
`docs/gateways.svg`; what was not measured stays.

Debian: apt-get install nginx-light haproxy varnish{,-modules} apache2 libapache2-mod-{qos,evasive}
npm:    npm install --prefix benchmarks/discovery/npm
PyPI:   pip install -r benchmarks/discovery/requirements.txt (Caddy and Traefik are there, too)

`python -m benchmarks.discovery.against_peers` sets more peers against nginx alone, with 200/s.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from benchmarks.discovery.contest import CLIENTS, contest
from benchmarks.discovery.gateways import GATEWAYS, Gateway
from benchmarks.discovery.picture import draw
from benchmarks.discovery.table import Line, measured, merged, parsed, placed, written

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs"
TABLE, PAGE, PICTURE = HERE / "gateways.md", DOCS / "limits.md", DOCS / "gateways.svg"


@asynccontextmanager
async def upstream() -> AsyncIterator[int]:
    """Run what the gateways stand before, and give its port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.discovery.upstream", "0.3", "1.0",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


@contextmanager
def rooms() -> Iterator[Path]:
    """Give a folder with one in it for each client's gateway; some gateways drop their rights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for client in CLIENTS:
            (folder / client).mkdir(mode=0o755)
        yield folder


async def measure(only: list[str], seconds: float, at_once: int) -> list[Line]:
    """Run all gateways, or some by name, tell each line as it comes, and return them in order."""
    seats = asyncio.Semaphore(at_once)
    lines: list[Line] = []

    async def one(gateway: Gateway, status: int | str, port: int) -> None:
        async with seats:
            with rooms() as folder:
                try:
                    scores = await contest(gateway, status, port, seconds, folder)
                except RuntimeError as error:
                    print(f"{gateway.name}: {error}", file=sys.stderr)
                    return
        lines.append(measured(gateway, status, scores, seconds))
        print(lines[-1], file=sys.stderr, flush=True)

    async with upstream() as port, asyncio.TaskGroup() as group:
        for gateway in GATEWAYS:
            if only and not any(gateway.name.startswith(each) for each in only):
                continue
            if not gateway.is_installed:
                print(f"{gateway.name}: not installed", file=sys.stderr)
                continue
            for status in gateway.statuses:
                group.create_task(one(gateway, status, port))
    return merged([], lines, GATEWAYS)


def write(new: list[Line]) -> None:
    """Keep what was measured beside what is known."""
    lines = merged(parsed(TABLE.read_text()), new, GATEWAYS)
    TABLE.write_text(written(lines))
    PAGE.write_text(placed(PAGE.read_text(), written(lines)))
    PICTURE.write_text(draw(lines))


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--at-once", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = await measure(options.only, options.seconds, options.at_once)
    if lines:
        print(written(lines), end="")
    if options.write:
        write(lines)


if __name__ == "__main__":
    asyncio.run(main())

"""Who finds the limit of a real gateway, whatever its refusal is called?

    python -m benchmarks.discovery [--seconds 50] [--only NAME…] [--write]

Runs every gateway that is installed, with its default refusal and with 429; three clients side by
side, each before a gateway of its own. A cell is the share of what the limit allows, cold start
included, and the share of requests that were refused, in percent. `--write` keeps the table in
`gateways.md` and draws `docs/gateways.svg`.

Debian: apt-get install nginx-light haproxy varnish apache2 libapache2-mod-{qos,evasive}
npm:    npm install --prefix benchmarks/discovery/npm
PyPI:   pip install -r benchmarks/discovery/requirements.txt

`python -m benchmarks.discovery.against_peers` sets more peers against nginx alone, with 200/s.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import fmean

from benchmarks.discovery.contest import CLIENTS, Score, contest
from benchmarks.discovery.gateways import GATEWAYS, Gateway
from benchmarks.discovery.picture import draw

HERE = Path(__file__).parent
PICTURE = HERE.parent.parent / "docs" / "gateways.svg"
Row = tuple[Gateway, int, dict[str, Score]]


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


def line(gateway: Gateway, status: int, scores: dict[str, Score], seconds: float) -> str:
    """Return a line of the table."""
    default = " (default)" if len(gateway.statuses) > 1 and status == gateway.statuses[0] else ""
    cells = [scores[name].cell(gateway.allowed * seconds) for name in CLIENTS]
    return f"| {gateway.name} | {status}{default} | {' | '.join(cells)} |"


async def measure(only: list[str], seconds: float) -> AsyncIterator[Row]:
    """Run all gateways, or some by name, one after the other."""
    async with upstream() as port:
        for gateway in GATEWAYS:
            if only and not any(gateway.name.startswith(each) for each in only):
                continue
            if not gateway.is_installed:
                print(f"{gateway.name}: not installed", file=sys.stderr)
                continue
            for status in gateway.statuses:
                with rooms() as folder:
                    try:
                        scores = await contest(gateway, status, port, seconds, folder)
                    except RuntimeError as error:
                        print(f"{gateway.name}: {error}", file=sys.stderr)
                        continue
                    yield gateway, status, scores


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=50.0)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [
        "| gateway | refusal | vimmerse_async | naive, 16 at once | told the limit |",
        "|---|---|---|---|---|",
    ]
    print(*lines, sep="\n", flush=True)
    rows: list[Row] = []
    async for row in measure(options.only, options.seconds):
        rows.append(row)
        lines.append(line(*row, options.seconds))
        print(lines[-1], flush=True)
    means = [
        fmean(
            100 * scores[name].answered / gateway.allowed / options.seconds
            for gateway, _, scores in rows
        )
        for name in CLIENTS
    ]
    lines.append(f"| mean of {len(rows)} | | " + " | ".join(f"{each:.0f}" for each in means) + " |")
    print(lines[-1])
    if options.write:
        (HERE / "gateways.md").write_text("\n".join(lines) + "\n")
        PICTURE.write_text(draw(rows, options.seconds))


if __name__ == "__main__":
    asyncio.run(main())

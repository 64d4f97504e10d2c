"""Draws `_static/progress.svg`: the real bar in the middle of a run against the emulator.

Run it when the bar changes: python docs/_ext/pictures.py
"""

import asyncio
import io
import re
from pathlib import Path

from rich.console import Console

from vimmerse_async import VimmerseSession, stream_prompts
from vimmerse_async.cli.connection import Link, Trouble
from vimmerse_async.cli.progress import Progress
from vimmerse_async.emulator import Emulator

ROWS = 5000
STATIC = Path(__file__).parents[1] / "_static"


async def main() -> None:
    """Caption until a good part is done, and draw what a terminal shows then."""
    urls = [f"https://shop.example/{n}.jpg" for n in range(ROWS)]
    urls[::700] = ["http://shop.example/old.jpg"] * len(urls[::700])
    console = Console(record=True, width=108, file=io.StringIO(), force_terminal=True)
    async with (
        Emulator(unknown_media="placeholder", limits={"in_flight": 24}, latency=0.25) as emulator,
        VimmerseSession(emulator.key, base_url=emulator.url) as session,
        stream_prompts(session, urls) as results,
    ):
        with Progress(ROWS, Link(session, Trouble())) as progress:
            async for result in results:
                progress.count(ok=result.ok)
                if progress.tally.done == ROWS * 4 // 10:
                    break
            console.print("$ vimmerse caption catalog.csv -o captions.csv", highlight=False)
            console.print(f"captioning {ROWS:,} rows of catalog.csv by column image")
            progress._live = _Wide()
            console.print(progress._render())
            progress._live = None
    drawn = console.export_svg(title="vimmerse")
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # nothing from elsewhere
    (STATIC / "progress.svg").write_text(drawn, "utf-8")


class _Wide:
    console = Console(width=108)


asyncio.run(main())

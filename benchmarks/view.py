"""The page of `vimmerse view` over a large journal, in Chromium: cards, search, filters, memory.

python -m benchmarks.view_journal /tmp/million 1000000
python -m benchmarks.view /tmp/million/out.csv.journal
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chromium import Page, browser

FIRST = "document.querySelectorAll('article .said').length > 3 && performance.now()"
WHOLE = "/answered/.test(about.textContent) && !/still being read/.test(about.textContent)"
CHOOSE = """(changes => new Promise(done => {
    const begun = performance.now(), cards = document.querySelector('#cards');
    const before = document.querySelector('#count').textContent;
    const look = () => {
        const now = document.querySelector('#count').textContent;
        const row = document.querySelector('article .said, #none:not([hidden])');
        if (now !== before && row) requestAnimationFrame(() => done(performance.now() - begun));
        else setTimeout(look, 2);
    };
    location.hash = changes;
    look();
}))"""
WORDS = ("dosu", "radu", "kurori", "VM-0777777", "hociru dosu", "pe", "zu", "radu pe ku", "0123456")
FILTERS = ("state=failed", "said=unmarked&state=answered", "state=answered", "order=reversed",
           "order=newest", "order=longest", "reason=1", "state=failed&order=reversed")  # fmt: skip


def memory(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) / 1024


async def timed(tab: Page, changes: str) -> float:
    await tab.value("location.hash = 'q=nothing+is+like+this'")
    for _ in range(500):
        if await tab.value("!document.querySelector('#none').hidden"):
            break
        await asyncio.sleep(0.01)
    found: float = await tab.value(f"{CHOOSE}({changes!r})")
    return found


async def main() -> None:
    script = "import sys; from vimmerse_async.cli import main; sys.exit(main())"
    server = subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on meanwhile
        [sys.executable, "-c", script, "view", sys.argv[1], "--no-open"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert server.stderr is not None
    begun = time.monotonic()
    address = re.findall(r"http://\S+/", server.stderr.readline())[0]
    print(f"the server answers after {time.monotonic() - begun:.2f} s")
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            async with browser(Path(home)) as tab:
                await tab.view(1360, 900)
                for _ in range(3):
                    await tab.send("Page.navigate", url="about:blank")
                    await tab.send("Page.navigate", url=address)
                    while not (first := await tab.value(FIRST)):  # noqa: ASYNC110 - the page tells nobody
                        await asyncio.sleep(0.005)
                    print(f"first cards after {first:.0f} ms")
                while not await tab.value(WHOLE):  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.5)
                print(f"the index is whole after {time.monotonic() - begun:.0f} s")
                await asyncio.sleep(2)
                print(await tab.value("document.querySelector('#count').textContent"))
                for name, changes in (("search", [f"q={w}" for w in WORDS]), ("filter", FILTERS)):
                    times = {each: await timed(tab, each) for each in changes}
                    told = ", ".join(f"{each} {took:.0f}" for each, took in times.items())
                    print(f"{name}: median {statistics.median(times.values()):.0f} ms ({told})")
        print(f"the server's memory at most {memory(server.pid):.0f} MB")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    asyncio.run(main())

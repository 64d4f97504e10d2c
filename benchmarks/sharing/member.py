"""One process of an account: told by a line of JSON what to do, and tells what it found.

    {"url": …, "share": "host" or "off", "name": …, "do": "rows", "seconds": 10.0}

`rows` asks rows of a batch until the time is over or `rows` are done; `calls` makes a call every
`every` seconds and tells how long each waited; `both` does both, the calls `after` some seconds.
`loop` is `uvloop` or nothing; `block` blocks the loop for so many seconds, again and again; `fork`
forks a child that does nothing.
"""

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from vimmerse_async import CallEvent, VimmerseSession, refine_prompt, stream_prompts

KEY = "sharing-key-of-nobody"


class Waits:
    """A hook that keeps how long calls waited, and what was refused."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.refused = self.failed = 0

    def on_retry(self, event: Any) -> None:
        pass

    def on_call(self, event: CallEvent) -> None:
        self.waited.append(event.waited)
        self.refused += event.refused
        self.failed += event.error is not None


async def rows(session: VimmerseSession, job: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + job.get("seconds", 3600.0)
    numbers = range(job["rows"]) if "rows" in job else itertools.count()

    async def texts() -> AsyncIterator[str]:
        for number in numbers:
            if time.monotonic() > until:
                return
            yield f"{job['name']} {number}"

    done = failed = 0
    options = {"journal": job["journal"]} if job.get("journal") else {}
    stream = stream_prompts(session, texts(), option="RefinePrompt", **options)
    async with stream as results:
        async for result in results:
            done += result.ok
            failed += not result.ok
    return {"done": done, "failed": failed, "at": time.monotonic()}


async def calls(session: VimmerseSession, job: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + job["seconds"]
    number = 0
    async with asyncio.TaskGroup() as group:
        while time.monotonic() < until:
            group.create_task(refine_prompt(session, f"{job['name']} call {number}"))
            number += 1
            await asyncio.sleep(job["every"])
    return {"done": number, "at": time.monotonic()}


async def both(session: VimmerseSession, job: dict[str, Any]) -> dict[str, Any]:
    options = {"base_url": job["url"], "share": job["share"]}
    async with VimmerseSession(KEY, **options) as other:  # has the same gate, and no hook
        batch = asyncio.ensure_future(rows(other, job | {"seconds": 3600.0}))
        await asyncio.sleep(job["after"])
        found = await calls(session, job)
        batch.cancel()
        await asyncio.wait([batch])
    return found


async def blocks(seconds: float) -> None:
    while True:
        await asyncio.sleep(2 * seconds)
        time.sleep(seconds)  # noqa: ASYNC251 - this is what is measured


async def fork_a_child() -> None:
    """Fork in the middle of the session a child that outlives this process for a while."""
    await asyncio.sleep(0.2)
    if not os.fork():
        time.sleep(6)  # noqa: ASYNC251 - this is no loop's process any more
        os._exit(0)


async def work(job: dict[str, Any]) -> dict[str, Any]:
    waits = Waits()
    session = VimmerseSession(
        KEY, base_url=job["url"], share=job["share"],
        client_type=job["name"], hooks=(waits,),
    )  # fmt: skip
    async with session:
        blocking = asyncio.ensure_future(blocks(job["block"])) if job.get("block") else None
        if job.get("fork"):
            await fork_a_child()
        begun, cpu = time.monotonic(), time.process_time()
        found = await {"rows": rows, "calls": calls, "both": both}[job["do"]](session, job)
        found |= {"cpu": time.process_time() - cpu, "seconds": time.monotonic() - begun}
        if blocking is not None:
            blocking.cancel()
        sharing = session.statistics().sharing
        leads = sharing is not None and sharing.leader == os.getpid()
    told = {"waited": waits.waited, "refused": waits.refused, "failed": waits.failed}
    return told | found | {"name": job["name"], "leads": leads}


def main() -> None:
    job = json.loads(sys.stdin.readline())
    if job.get("loop") == "uvloop":
        import uvloop

        found = uvloop.run(work(job))
    else:
        found = asyncio.run(work(job))
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

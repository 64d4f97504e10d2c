"""Who finds nginx's limit, and at what price?

    python -m benchmarks.discovery.against_peers [--count 6000] [--only NAME]

For `limit_req` (200/s, burst 20) and `limit_conn` (60 in flight at 300 ms: 200/s too) the table
gives the share of the ideal over the whole wall time, cold start included, and the share of
requests that were refused, as nginx logged them.
"""

import argparse
import asyncio
import time

from benchmarks.discovery.nginx import PER_SECOND, Limited, limited_servers
from benchmarks.discovery.peers import CLIENTS


async def measure(name: str, server: Limited, count: int) -> str:
    """Run one client against one server and return its cell."""
    before = len(server.statuses())
    begun = time.perf_counter()
    try:
        await CLIENTS[name](server.origin, count)
    except Exception as error:  # noqa: BLE001 - a peer that gives up is a result too
        return f"gave up: {type(error).__name__}"
    took = time.perf_counter() - begun
    statuses = server.statuses()[before:]
    share = 100 * count / PER_SECOND / took
    refused = 100 * statuses.count("429") / max(1, len(statuses))
    return f"{share:.1f} / {refused:.2f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--only", choices=list(CLIENTS), action="append")
    options = parser.parse_args()
    async with limited_servers() as servers:
        print("| share of the ideal % / refused % |", " | ".join(s.name for s in servers), "|")
        print("|---|" + "---|" * len(servers))
        for name in options.only or CLIENTS:
            cells = [await measure(name, server, options.count) for server in servers]
            print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    asyncio.run(main())

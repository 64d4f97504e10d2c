"""How many requests the emulator serves: raw connections in one process, the emulator in another.

    python benchmarks/emulator_load.py [--requests 40000] [--in-flight 64] [--pictures 1000]
                                       [--idle 5000] [--plain]

Limits and faults are on unless `--plain`. The load is a bare protocol, so that the figure is the
server's: CPU time of its process over the requests it answered.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from pathlib import Path

from vimmerse_async.emulator import Emulator, Fault, Limits

STATM = Path("/proc/self/statm")
LIMITS = Limits(per_second=1_000_000, burst=100_000, per_minute=10_000_000, in_flight=256)
FAULTS = (
    Fault("status", status=503, probability=0.01),
    Fault("cut-json", probability=0.01),
    Fault("html", probability=0.01, route="/v2/text/*"),
    Fault("empty", nth=100_000_000),
)


def serve(pipe: Connection, plain: bool) -> None:
    options = {} if plain else {"limits": LIMITS, "faults": FAULTS, "credits": 1e12}
    with Emulator(unknown_media="placeholder", **options) as emulator:
        pipe.send(emulator.url)
        while pipe.recv() == "measure":
            usage = resource.getrusage(resource.RUSAGE_SELF)
            resident = int(STATM.read_text().split()[1]) * resource.getpagesize()
            pipe.send((usage.ru_utime + usage.ru_stime, resident, emulator.account.log.total))


class Client(asyncio.Protocol):
    def __init__(self, requests: "asyncio.Queue[bytes]") -> None:
        self.requests = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        try:
            self.transport.write(self.requests.get_nowait())
        except asyncio.QueueEmpty:
            self.transport.close()
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, blank, body = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.buffer = b""
            self.next()


def request(picture: int) -> bytes:
    body = json.dumps({"image_url": f"https://cdn.example/{picture}.png"}).encode()
    head = (
        "POST /v2/text/image-2-prompt HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: test-load\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(url: str, numbers: Iterable[int], in_flight: int) -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    for number in numbers:
        queue.put_nowait(request(number))
    loop = asyncio.get_running_loop()
    host, _, port = url.removeprefix("http://").partition(":")
    clients = []
    for _ in range(in_flight):
        _, client = await loop.create_connection(lambda: Client(queue), host, int(port))
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))


async def hold(url: str, count: int, pipe: Connection) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
    await asyncio.sleep(1)
    pipe.send("measure")
    _, resident, _ = pipe.recv()
    await load(url, range(2_000), 64)
    alive = sum(not writer.is_closing() for writer in writers)
    print(f"{alive} of {count} idle connections held, {resident / 1e6:.0f} MB resident")
    for writer in writers:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=1_000, help="different ones")
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, options.plain))
    server.start()
    url = here.recv()

    def measure() -> tuple[float, int, int]:
        here.send("measure")
        return here.recv()

    try:
        if options.idle:
            asyncio.run(hold(url, options.idle, here))
        each = options.requests // options.rounds
        for turn in range(options.rounds):
            cpu, _, before = measure()
            began = time.perf_counter()
            asked = (number % options.pictures for number in range(turn * each, (turn + 1) * each))
            asyncio.run(load(url, asked, options.in_flight))
            wall = time.perf_counter() - began
            after, resident, total = measure()
            count = total - before
            print(
                f"{count} requests: {count / wall:.0f}/s over the wall, "
                f"{(after - cpu) / count * 1e6:.0f} us of CPU each = {count / (after - cpu):.0f}/s "
                f"from one core, {resident / 1e6:.1f} MB resident"
            )
    finally:
        here.send("stop")
        server.join()


if __name__ == "__main__":
    main()

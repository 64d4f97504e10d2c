"""Requests per second and CPU per request: a batch beside what people write today."""

from benchmarks.report import Bar, Result
from benchmarks.rounds import Round, Subject, quartiles, ratios, run_rounds

BASE = "idiomatic aiohttp"
OWN = "vimmerse_async"
SUBJECTS = (
    Subject("raw protocol, uvloop", "peers:raw_protocol", 20_000, loop="uvloop"),
    Subject("raw protocol", "peers:raw_protocol", 10_000),
    Subject("vimmerse_async, uvloop", "clients:vimmerse", loop="uvloop"),
    Subject("vimmerse_async, as it comes, uvloop", "clients:vimmerse_default", loop="uvloop"),
    Subject(OWN, "clients:vimmerse"),
    Subject("vimmerse_async, a fixed limit", "clients:vimmerse_fixed"),
    Subject("vimmerse_async, a fixed limit, uvloop", "clients:vimmerse_fixed", loop="uvloop"),
    Subject("vimmerse_async, as it comes", "clients:vimmerse_default"),
    Subject("idiomatic aiohttp, uvloop", "peers:idiomatic_aiohttp", loop="uvloop"),
    Subject(BASE, "peers:idiomatic_aiohttp"),
    Subject("idiomatic aiohttp, again (control)", "peers:idiomatic_aiohttp"),
    Subject("tenacity + aiolimiter + aiohttp", "peers:handmade"),
    Subject("aiometer + aiohttp", "peers:aiometer_aiohttp"),
    Subject("openai's client, aiohttp transport", "peers:openai_client", 1000, 200),
    Subject("requests + threads", "peers:requests_threads", 1000, 200),
    Subject("openai's client", "peers:openai_client", 500, 100, options=(("aiohttp", False),)),
    Subject("wreq", "peers:wreq_client"),
    Subject("wreq, uvloop", "peers:wreq_client", loop="uvloop"),
    Subject("pyreqwest", "peers:pyreqwest_client"),
    Subject("pyreqwest, uvloop", "peers:pyreqwest_client", loop="uvloop"),
    Subject("pyqwest", "peers:pyqwest_client"),
    Subject("httpx2", "peers:httpx2_client", 500, 100),
)
QUICK = {
    BASE, OWN, "idiomatic aiohttp, again (control)", "vimmerse_async, as it comes",
    "vimmerse_async, uvloop", "idiomatic aiohttp, uvloop", "tenacity + aiolimiter + aiohttp",
    "wreq", "pyreqwest",
}  # fmt: skip


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Measure a batch of 5,000 rows, fewer for the slowest."""
    subjects = [each for each in SUBJECTS if not quick or each.name in QUICK]
    found = run_rounds(subjects, origin, rounds or (5 if quick else 9))
    names = [each.name for each in subjects]
    speeds = {name: ratios(found, BASE, name, "wall") for name in names}
    names.sort(key=lambda name: -speeds[name][1])
    figures = {f"wall: {name}": speeds[name][1] for name in names}
    figures |= {f"cpu: {name}": _cpu_ratio(found, name) for name in names}
    figures["uvloop against uvloop"] = ratios(
        found, "idiomatic aiohttp, uvloop", "vimmerse_async, uvloop", "wall"
    )[1]
    for peer in names:
        if not peer.startswith(("vimmerse", "raw")):
            figures[f"against {peer}"] = ratios(found, peer, OWN, "wall")[1]
    return Result(
        title="Throughput",
        text=(
            "64 requests in flight, an immediate answer; × is requests/s relative to idiomatic "
            "aiohttp (a session, a semaphore, gather) in the same round. Validation, the learned "
            "limit, retries, deadlines, capped replies and the guard against stray replies are on."
        ),
        header=("client", "× idiomatic aiohttp", "quartiles", "CPU µs/request", "CPU, ×"),
        rows=[_row(found, name, speeds[name]) for name in names],
        unit="requests/s, × idiomatic aiohttp",
        bars=[
            Bar(name, middle, low, high, own=name.startswith("vimmerse"))
            for name in names
            for low, middle, high in [speeds[name]]
        ],
        figures=figures,
    )


def _cpu_ratio(rounds: list[Round], name: str) -> float:
    return quartiles(each[name]["cpu"] / each[BASE]["cpu"] for each in rounds)[1]


def _row(rounds: list[Round], name: str, speed: tuple[float, float, float]) -> list[str]:
    low, middle, high = speed
    shown = f"**{name}**" if name.startswith("vimmerse") else name
    cpu = quartiles(each[name]["cpu"] for each in rounds)[1]
    ratio = _cpu_ratio(rounds, name)
    return [shown, f"{middle:.2f}", f"{low:.2f}-{high:.2f}", f"{cpu:.0f}", f"{ratio:.2f}"]

"""What one awaited call costs, one after the other, beside aiohttp with nothing around it."""

from benchmarks.report import Bar, Result
from benchmarks.rounds import Subject, quartiles, run_rounds

BASE = "aiohttp"
OWN = "vimmerse_async"
SUBJECTS = (
    Subject(OWN, "clients:vimmerse_alone", 3000, 300),
    Subject(BASE, "peers:aiohttp_alone", 3000, 300),
    Subject("aiohttp, again (control)", "peers:aiohttp_alone", 3000, 300),
    Subject("aiohttp, tuned", "peers:tuned_aiohttp_alone", 3000, 300),
    Subject("vimmerse_async, uvloop", "clients:vimmerse_alone", 3000, 300, loop="uvloop"),
    Subject("aiohttp, uvloop", "peers:aiohttp_alone", 3000, 300, loop="uvloop"),
    Subject("aiohttp, tuned, uvloop", "peers:tuned_aiohttp_alone", 3000, 300, loop="uvloop"),
)


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Measure 3,000 calls, each awaited before the next begins."""
    found = run_rounds(SUBJECTS, origin, rounds or (5 if quick else 9))
    rows, bars = [], []
    figures: dict[str, float] = {}
    for name in (each.name for each in SUBJECTS):
        base = BASE + (", uvloop" if name.endswith("uvloop") else "")
        cpu = quartiles(each[name]["cpu"] for each in found)
        more = quartiles(each[name]["cpu"] - each[base]["cpu"] for each in found)
        figures[f"more CPU µs: {name}"] = more[1]
        shown = f"**{name}**" if name.startswith("vimmerse") else name
        rows.append(
            [shown, f"{cpu[1]:.0f}", f"{more[1]:+.0f}", f"{more[0]:+.0f} to {more[2]:+.0f}"]
        )
        bars.append(Bar(name, cpu[1], cpu[0], cpu[2], own=name.startswith("vimmerse")))
    return Result(
        title="One call",
        text=(
            "One `await image_2_prompt(session, url)` after the other on a warm connection, beside "
            "aiohttp's `post(json=…)` and `json()`; the difference is taken round by round. Tuned "
            "aiohttp sends bytes, parses bytes, and has no time limit, cookies or redirects."
        ),
        header=("client", "CPU µs/call", "more than aiohttp", "quartiles"),
        rows=rows,
        unit="CPU µs per call",
        bars=bars,
        figures=figures,
    )

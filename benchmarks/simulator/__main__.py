"""One table: goodput and refused share of this project's limit, and of what people use today.

    python -m benchmarks.simulator [--seeds 100-104] [--scenarios S1a S2b …] [--only NAME …]

Goodput is a percentage of what the truth would have allowed, cold start included; the second
figure is the percentage of sends that met a 429; then rows lost, where there were any. Seeds below
100 were used for tuning, those from 100 on were not.
"""

import argparse
from statistics import fmean

from benchmarks.simulator.measure import Player, Run, oracle, run
from benchmarks.simulator.rivals import (
    AIMD,
    BOTOCORE,
    OPENAI,
    TENACITY,
    Aimd,
    BotocoreAdaptive,
    Semaphore,
)
from benchmarks.simulator.scenarios import ALL, LISTED
from vimmerse_async.control import AdaptiveLimit

PLAYERS = {
    player.name: player
    for player in (
        Player("vimmerse_async", lambda _, rng: AdaptiveLimit(rng=rng)),
        Player("told the truth", lambda scene, _: Semaphore(oracle(scene.server())), TENACITY),
        Player("semaphore 256", lambda *_: Semaphore(256), TENACITY),
        Player("openai-style 64", lambda *_: Semaphore(64), OPENAI),
        Player("botocore adaptive", lambda *_: BotocoreAdaptive(256), BOTOCORE),
        Player("AIMD", lambda *_: Aimd(), AIMD),
    )
}


def cell(runs: list[Run]) -> str:
    """Return the mean of some runs for the table."""
    goodput, refused = fmean(r.goodput for r in runs), fmean(r.refused for r in runs)
    lost = fmean(r.lost for r in runs)
    return f"{goodput:.0f} / {refused:.1f}" + (f", {lost:.0f} lost" if lost >= 0.5 else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="100-101", help="first-last")
    parser.add_argument("--scenarios", nargs="*", default=[each.key for each in LISTED])
    parser.add_argument("--only", nargs="*", choices=list(PLAYERS), default=list(PLAYERS))
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    print("| goodput % / 429s % |", " | ".join(options.only), "|")
    print("|---|" + "---|" * len(options.only))
    for scenario in ALL:
        if scenario.key in options.scenarios:
            cells = [
                cell([run(PLAYERS[name], scenario, seed) for seed in seeds])
                for name in options.only
            ]
            print(f"| {scenario.name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()

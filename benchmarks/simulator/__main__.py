"""Three tables: this project's limit in every scenario, and rivals in the listed ones and at gates.

    python -m benchmarks.simulator [--seeds 0-9 100-109] [--scenarios S1a S2b …] [--rivals 100-102]
                                   [--jobs 2] [--write]

Goodput is a percentage of what the truth would have allowed, cold start included; the second
figure is the percentage of sends that met a 429; then rows lost, where there were any. Seeds below
100 were used for tuning, those from 100 on were not. `--write` keeps the tables in `results.md`,
every run in `results.json`, and draws `docs/limits.svg`.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean

import attrs

from benchmarks.simulator.gateways import GATEWAYS
from benchmarks.simulator.measure import Player, Run, oracle, run
from benchmarks.simulator.picture import draw
from benchmarks.simulator.rivals import (
    AIMD,
    BOTOCORE,
    DESIGNER,
    INSPECT,
    NAIVE,
    OPENAI,
    TENACITY,
    Aimd,
    BotocoreAdaptive,
    DataDesigner,
    InspectAi,
    Semaphore,
)
from benchmarks.simulator.scenarios import ALL, LISTED, Scenario
from vimmerse_async.control import AdaptiveLimit

HERE = Path(__file__).parent
PICTURE = HERE.parent.parent / "docs" / "limits.svg"
TUNED_BELOW = 100  # seeds
OURS = Player("vimmerse_async", lambda scene, rng: AdaptiveLimit(start=scene.start, rng=rng))
RIVALS = (
    Player("told the truth", lambda scene, _: Semaphore(oracle(scene.server())), TENACITY),
    Player("semaphore 256", lambda *_: Semaphore(256), TENACITY),
    Player("openai-style 64", lambda *_: Semaphore(64), OPENAI),
    Player("botocore adaptive", lambda *_: BotocoreAdaptive(256), BOTOCORE),
    Player("AIMD", lambda *_: Aimd(), AIMD),
    Player("inspect_ai", lambda *_: InspectAi(), INSPECT),
    Player("Data Designer 256", lambda *_: DataDesigner(256), DESIGNER),
)
PEER = Player("naive, 16 at once", lambda *_: Semaphore(16), NAIVE)
Runs = dict[int, Run]


def cell(runs: Iterable[Run]) -> str:
    """Return the mean of some runs for the table."""
    runs = list(runs)
    if not runs:
        return "-"
    goodput, refused = fmean(r.goodput for r in runs), fmean(r.refused for r in runs)
    lost = fmean(r.lost for r in runs)
    return f"{goodput:.0f} / {refused:.1f}" + (f", {lost:.1f} lost" if lost >= 0.05 else "")


def play(key: str, seed: int) -> Run:
    """Run this project's limit."""
    return run(OURS, next(each for each in (*ALL, *GATEWAYS) if each.key == key), seed)


def play_all(keys: list[str], seeds: list[int], jobs: int) -> dict[str, Runs]:
    """Run this project's limit in many scenarios, in some processes."""
    with ProcessPoolExecutor(jobs) as pool:
        runs = {key: {seed: pool.submit(play, key, seed) for seed in seeds} for key in keys}
        return {
            key: {seed: each.result() for seed, each in of_key.items()}
            for key, of_key in runs.items()
        }


def our_table(scenarios: list[Scenario], kept: dict[str, Runs]) -> Iterator[str]:
    """Yield the lines of this project's table."""
    yield "| scenario | tuning seeds | held-out seeds | worst seed | slowest 5 % from, s | Jain |"
    yield "|---|---|---|---|---|---|"
    for scenario in scenarios:
        runs = kept[scenario.key]
        tuned = cell(each for seed, each in runs.items() if seed < TUNED_BELOW)
        held = cell(each for seed, each in runs.items() if seed >= TUNED_BELOW)
        worst = min(each.goodput for each in runs.values())
        slow = fmean(each.slow for each in runs.values())
        fair = fmean(each.fairness for each in runs.values())
        jain = f"{fair:.2f}" if scenario.clients > 1 else ""
        yield f"| {scenario.name} | {tuned} | {held} | {worst:.0f} | {slow:.1f} | {jain} |"


def rival_table(
    scenarios: list[Scenario], seeds: list[int], rivals: tuple[Player, ...] = RIVALS
) -> Iterator[str]:
    """Run this project's limit and its rivals and yield the lines of their table."""
    players = (OURS, *rivals)
    yield "| scenario | " + " | ".join(player.name for player in players) + " |"
    yield "|---|" + "---|" * len(players)
    for scenario in scenarios:
        cells = [cell(run(player, scenario, seed) for seed in seeds) for player in players]
        yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def seeds_of(spans: list[str]) -> list[int]:
    """Read spans like 0-9."""
    pairs = (span.partition("-") for span in spans)
    return [seed for first, _, last in pairs for seed in range(int(first), int(last or first) + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", default=["100-101"], help="first-last")
    parser.add_argument("--rivals", nargs="*", default=["100"], help="the rivals' seeds")
    parser.add_argument("--scenarios", nargs="*", help="all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help="keep the results")
    options = parser.parse_args()
    ours = [each for each in ALL if not options.scenarios or each.key in options.scenarios]
    gates = [each for each in GATEWAYS if not options.scenarios or each.key in options.scenarios]
    listed = [each for each in ours if each in LISTED]
    kept = play_all([each.key for each in ours], seeds_of(options.seeds), options.jobs)
    spans = f"{' '.join(options.seeds)}, rivals {' '.join(options.rivals)}"
    lines = [f"Goodput % / 429s %, by `python -m benchmarks.simulator`, seeds {spans}.", ""]
    for table in (
        our_table(ours, kept),
        rival_table(listed, seeds_of(options.rivals)),
        rival_table(gates, seeds_of(options.rivals), (PEER,)),
    ):
        for line in table:
            print(line, flush=True)
            lines.append(line)
        lines.append("")
    if options.write:
        (HERE / "results.md").write_text("\n".join(lines))
        rows = {
            key: {
                seed: {name: round(value, 3) for name, value in attrs.asdict(each).items()}
                for seed, each in runs.items()
            }
            for key, runs in kept.items()
        }
        (HERE / "results.json").write_text(json.dumps(rows, indent=0) + "\n")
        PICTURE.write_text(draw())


if __name__ == "__main__":
    main()

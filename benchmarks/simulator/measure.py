"""One run of one client kind in one scenario, and what is said about it."""

from collections.abc import Callable
from random import Random
from statistics import fmean

import attrs

from benchmarks.simulator.drive import Client, Habits, World
from benchmarks.simulator.latency import mean, median
from benchmarks.simulator.scenarios import Scenario
from benchmarks.simulator.servers import Server
from vimmerse_async.control.limit import Limit

Make = Callable[[Scenario, Random], Limit]


@attrs.frozen
class Player:
    """A kind of client: its name, the limit it uses, and its habits."""

    name: str
    make: Make
    habits: Habits = attrs.Factory(Habits)


@attrs.frozen
class Run:
    """What one run came to.

    Attributes:
        goodput: Answers, as a percentage of what the truth would have allowed.
        refused: Percentage of the sends that met a 429.
        lost: Rows that failed for good.
        slow: 95th percentile of the seconds from first send to answer.
        fairness: Jain's index of the clients' shares.
    """

    goodput: float
    refused: float
    lost: float
    slow: float
    fairness: float


def oracle(server: Server) -> int:
    """The places in flight that somebody would choose who knew the limits."""
    service = fmean(map(mean, server.latencies.values()))
    return max(1, round(min(each.capacity(0.0, service) for each in server.limiters) * service))


def ideal_seconds(server: Server, rows: float) -> float:
    """How long the rows take whoever knows the limits, but for the first answer."""
    now = done = 0.0
    while done < rows:
        step = server.capacity(now) * 0.5
        done += step
        now += 0.5
    return now - 0.5 * (done - rows) / step if rows else 0.0


def run(player: Player, scenario: Scenario, seed: int) -> Run:
    """Let one kind of client work through a scenario."""
    world = World(scenario.server(), seed)
    for number in range(scenario.clients):
        start = world.rng.uniform(0.0, 10.0) if scenario.clients > 1 else 0.0
        if scenario.late and number == scenario.clients - 1:
            start = (scenario.seconds or 0.0) / 3
        limit = player.make(scenario, world.rng)
        world.join(limit, player.habits, scenario.rows, start)
    if scenario.seconds:
        world.run(scenario.seconds)
        goodput, fairness = shares(scenario, world)
    else:
        world.run(6 * ideal_seconds(world.server, scenario.rows) + 900.0)
        goodput, fairness = finish(scenario, world.clients[0]), 1.0
    sent = sum(client.sent for client in world.clients)
    latencies = sorted(second for client in world.clients for second in client.latencies)
    return Run(
        goodput=100 * goodput,
        refused=100 * sum(client.refused for client in world.clients) / max(1, sent),
        lost=sum(client.lost for client in world.clients),
        slow=latencies[int(0.95 * len(latencies))] if latencies else 0.0,
        fairness=fairness,
    )


def finish(scenario: Scenario, client: Client) -> float:
    """Time to 99 % of the answers: the ideal over the real, cold start included."""
    answered = len(client.finished)
    last = int(0.99 * answered)
    if not answered or not client.finished[last]:
        return 0.0
    server = client.world.server
    first_answer = fmean(map(median, server.latencies.values()))
    ideal = ideal_seconds(server, last) + first_answer
    return ideal / client.finished[last] * answered / scenario.rows


def shares(scenario: Scenario, world: World) -> tuple[float, float]:
    """Goodput of all clients, and Jain's index, after everybody has settled."""
    end = scenario.seconds or 0.0
    begin = end * (0.6 if scenario.late else scenario.settled)
    counts = [sum(when > begin for when in client.finished) for client in world.clients]
    squares = len(counts) * sum(count * count for count in counts)
    goodput = sum(counts) / (end - begin) / world.server.capacity(0.0)
    return goodput, sum(counts) ** 2 / squares if squares else 0.0

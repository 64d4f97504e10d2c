"""The learned limit in front of gateways as they come, in virtual time."""

from statistics import fmean

import pytest

from benchmarks.simulator.__main__ import OURS, PEER, play
from benchmarks.simulator.gateways import GATEWAYS, UPSTREAM, Anchored, Banning, gateway
from benchmarks.simulator.measure import run
from benchmarks.simulator.scenarios import Scenario
from benchmarks.simulator.servers import Bucket, Concurrency, Fault, Server

SEED = 100
STRICT = {"nginx-strict-503", "nginx-strict-429", "traefik-1"}
"""No burst at all: two requests that come too close together are one too many."""
TARPITS = {"tarpit-500", "tarpit-429"}
"""Two seconds pass before the start hears that its 200 are used up, and each refusal counts."""
BANNED = {"ban-429", "ban-403"}
"""Who asked too much is out for ten seconds, and for ten more each time that he asks."""


def test_every_gateway_is_used_as_a_naive_client_uses_it_and_asked_politely():
    """About .95 of what sixteen workers reach, and 70 % of the limit; few refusals, no lost row."""
    goodputs, refused = [], []
    for scene in GATEWAYS:
        ours, naive = (run(player, scene, SEED) for player in (OURS, PEER))
        least = 0.90 if scene.key in TARPITS else 0.93
        assert ours.goodput >= least * naive.goodput, scene.key
        assert ours.goodput >= (60.0 if scene.key in STRICT | BANNED else 70.0), scene.key
        assert not ours.lost, scene.key
        goodputs.append(ours.goodput)
        refused.append(ours.refused)
    assert fmean(goodputs) >= 90.0
    assert fmean(refused) <= 3.0


@pytest.mark.parametrize("phase", [0.0, 0.5, 0.8])
def test_a_ban_is_left_and_not_met_again_soon(phase: float) -> None:
    """In 110 s 60 % of what a gateway allows that bans for ten seconds, whenever its seconds begin.

    The start may spend two of its windows in less than a second, and look like twice the rate.
    """
    scene = gateway("ban", lambda: Banning(20, 1.0, 10.0, phase), seconds=110.0)
    assert fmean(run(OURS, scene, seed).goodput for seed in range(200, 203)) >= 60.0


def test_a_window_of_20_s_that_a_silence_outlasted_once_is_no_ban():
    """Its next end is looked for by asking, as the second silence did not end it."""
    scene = gateway("window", lambda: Anchored(200, 20.0))
    assert fmean(run(OURS, scene, seed).goodput for seed in range(4)) >= 84.0


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize(("refusal", "varies"), [(0.05, (0.2, 3.0)), (0.1, (0.1, 4.0))])
def test_a_ban_is_left_on_a_busy_machine(status, refusal, varies):
    """However unevenly long refusals take there, a ban is read as one, and left once for all."""
    server = Server(
        (Banning(20, 1.0, 10.0, 0.3),), {"text": UPSTREAM}, refusal=refusal, status=status,
        network=(0.0002, 0.001), varies=varies,
    )  # fmt: skip
    scene = Scenario("busy", lambda: server, 10**6, seconds=200.0, settled=0.0)
    assert run(OURS, scene, 202).goodput >= 70.0


def test_a_ban_by_a_fault_s_name_is_left_also_when_it_lasts() -> None:
    """After half a minute a fault says nothing of limits, but what began as a refusal may end."""
    scene = gateway("ban", lambda: Banning(20, 1.0, 20.0), 500, seconds=200.0)
    assert run(OURS, scene, 200).goodput >= 30.0


@pytest.mark.parametrize("limiter", [lambda: Concurrency(8), lambda: Bucket(20, 20)])
@pytest.mark.parametrize("seconds", [(0.001, 0.001), (0.1, 1.0)])
def test_an_outage_sets_no_rate_however_quickly_it_is_told(limiter, seconds):
    """Twenty seconds of nothing but 503s cost no more of eight minutes than they last, and a hold.

    They come at once, as a gateway's do whose upstream is gone, or after a while.
    """
    server = lambda: Server(  # noqa: E731 - one a seed
        (limiter(),), {"text": UPSTREAM}, network=(0.0002, 0.001),
        fault=Fault(90.0, 110.0, seconds=seconds),
    )  # fmt: skip
    scene = Scenario("outage", server, 10**6, seconds=500.0, settled=0.0)
    for seed in (200, 201):
        ended = run(OURS, scene, seed)
        assert ended.goodput >= 90.0
        assert not ended.lost


@pytest.mark.parametrize(
    ("limiter", "least"), [(lambda: Concurrency(64), 68.0), (lambda: Bucket(80, 20), 80.0)]
)
def test_a_busy_machine_does_not_mistake_its_own_holds_for_a_low_rate(limiter, least):
    """Where all is late, refusals too, a first minute has two thirds of the limit, not half."""
    scene = Scenario(
        "late", lambda: Server((limiter(),), {"text": UPSTREAM}, network=(0.001, 0.3)), 10**6,
        seconds=60.0, settled=0.0,
    )  # fmt: skip
    assert fmean(run(OURS, scene, seed).goodput for seed in range(300, 304)) >= least


def test_a_window_is_not_given_up_for_one_refusal_below_it():
    """Places that are free again late, or that others use too, refuse now and then at less."""
    assert play("S2d", 0).goodput >= 90.5
    assert play("S8a", 100).goodput >= 97.0, "nor for a minute of faults"


@pytest.mark.parametrize(
    ("key", "seeds"), [("nginx-strict-429", [0, 4, 9]), ("nginx-strict-503", [0, 4])]
)
def test_a_limit_without_a_burst_is_found_however_the_start_is_met(key, seeds):
    """A window that the first refusals seem to speak for, and a rate that doubles, mislead."""
    goodputs = [play(key, seed).goodput for seed in seeds]
    assert fmean(goodputs) >= 75.0
    assert min(goodputs) >= 60.0


def test_a_constant_wait_is_not_believed_of_a_place_that_is_taken():
    """A probe beside others under way is told the same, where all places are in use."""
    assert fmean(play("pressure-503+10", seed).goodput for seed in range(4)) >= 60.0


def test_where_a_refusal_takes_a_second_it_is_risked_seldom():
    """All that is sent until it comes back is refused, too: ten a second, and 64 in flight."""
    assert play("O6", 100).goodput >= 90.0
    assert play("O5", 100).refused <= 0.9
    assert play("queue-503", 100).refused <= 13.0, "by then, answers tell what the start found"

"""How far the start grows, as long as nothing was refused: as far as answers explain. Pure."""

from vimmerse_async.control.meter import LATELY, Meter

FIRST_REFUSAL = 0.06  # s a refusal is thought to take before there was one: a network's round trip
RAMP = 3.0  # x Little's law: where the start stops growing, as refusals come before answers do
RAMP_QUICK = 2.0  # the same where answers are quick: a refusal may be slower than they are
RAMP_SECONDS = 2.5  # s that answers take longer for each one more
SPAN = 3.0  # answers' time over which the start measures them, where they are quick
BLIND = 16.0  # x the first window: the same while there are too few answers for Little's law
FEW = 16  # answers


def blind_room(start: int) -> float:
    """Return how many may be in flight while there are too few answers to tell."""
    return BLIND * start


def explained_room(latency: float, work: float, answered: Meter, now: float) -> float:
    """Return how many may be in flight as Little's law has it, with room to grow.

    Args:
        latency: Seconds that an answer takes.
        work: Seconds of these that it is worked on; 0.0: not known.
        answered: When answers came.
        now: When the last one did.
    """
    lately = answered.lately
    if latency <= LATELY / SPAN:  # of a quick server over a few answers' time: more lags behind
        lately = max(lately, answered.over(now - SPAN * latency, now))
    ramp = RAMP  # where answers come before silence is believed
    if latency >= FIRST_REFUSAL:  # silence is believed less, the less an answer takes
        ramp = min(RAMP, RAMP_QUICK + latency / RAMP_SECONDS)
    return ramp * lately * (work or latency)

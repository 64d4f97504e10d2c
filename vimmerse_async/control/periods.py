"""How long a ceiling takes back to where it was refused: by what looking beyond costs. Pure."""

import math

from vimmerse_async.control.ceiling import Ceiling

PERIOD = 70.0  # s x sqrt(requests/s): back at the peak; CUBIC's own takes seconds, but pays nothing
PROBE = 150.0  # requests that a period lasts at least where nobody else is: a refusal or two each
RAREST = 300.0  # s that these last at most: who was left by others must find what they leave
SHARED = 60.0  # s that a period lasts at most where others are: the same for all who have little
AFTER_COST = 30.0  # periods per announced Retry-After: a probe that costs a minute is made rarely
AFTER_SLOW = 60.0  # refusal times that a period lasts: all that is sent meanwhile is refused, too
AFTER_BAN = 15.0  # bans that a period lasts, for a guess
STRAIGHT, STEEP = 200.0, 0.67  # s x (requests/s)^this that who may share takes to climb straight
LONGEST = 110.0  # s that it takes at most: alike for all who have little
THIN = 0.5  # of a period, where little is known


def period_of(
    ceiling: Ceiling, accepted: float, *, announced: float, refusal: float, is_thin: bool
) -> float:
    """Return the seconds that a ceiling takes back to its peak.

    Args:
        ceiling: Which is learned.
        accepted: Requests/s that are accepted.
        announced: The longest wait that the server asked for, or a ban's, in seconds.
        refusal: Seconds that a refusal takes.
        is_thin: Whether it was refused before there were many answers.
    """
    accepted += 0.01
    if ceiling.is_straight:
        period = max(min(LONGEST, STRAIGHT / math.pow(accepted, STEEP)), PROBE / accepted)
        return max(period, AFTER_COST * announced, AFTER_SLOW * refusal)
    period = PERIOD / math.sqrt(accepted)
    period = min(period, SHARED) if ceiling.yields else min(RAREST, max(period, PROBE / accepted))
    if is_thin:
        period *= THIN
    after = AFTER_COST if ceiling.peak < math.inf else AFTER_BAN
    return max(period, after * announced, AFTER_SLOW * refusal)

"""Tells a refusal from a fault, whatever the server calls it: by what else it does meanwhile. Pure.

The service's documentation names 429. What stands between a user and the service (a company's
gateway, a firewall, a content network) says 503, 500 or 403 by default, or resets the connection,
and means the same.
"""

import attrs

from vimmerse_async.control.answer_times import AnswerTimes
from vimmerse_async.control.retry import rule_of_status

QUICK = 0.5  # share of the shortest answer below which nothing was worked on
PENDING = 10.0  # times as long as a refusal took, and a moment: what is out so long was accepted
MOMENT = 0.02  # s
LATELY = 1.0  # shortest answers, and a second, since which something has to have been accepted
DOUBTED = 5  # refusals of one call by another name than 429, after which it is the call's own fault


@attrs.frozen
class Scene:
    """What the server does when one of its replies has to be judged.

    Attributes:
        known: The answers of the route's latency class; None: none came yet.
        accepted_ago: Seconds since the server last accepted anything.
        pending: Seconds for which the oldest of the other requests has been under way.
    """

    known: AnswerTimes | None
    accepted_ago: float
    pending: float

    @property
    def has_answers(self) -> bool:
        """Whether anything was answered in this latency class."""
        return self.known is not None and self.known.answers > 0

    def accepts_others(self, took: float) -> bool:
        """Return whether others are taken for accepted, before anything is known: by silence."""
        return not self.has_answers and self.pending > MOMENT + PENDING * took


def is_refusal(status: int, operation: str, took: float, scene: Scene) -> bool:
    """Return whether a status other than 429 is the server speaking to the limit.

    A 403 is, where the same key was answered before. A 5xx is, when it came so quickly that nothing
    can have been worked on, while other requests are being accepted. Before the first answer both
    are while others have been under way for much longer without a word.

    Args:
        status: Of the reply.
        operation: The route's name.
        took: Seconds from the request's departure to its reply.
        scene: What the server does meanwhile.
    """
    if status == 403:
        answered = scene.known is not None and operation in scene.known.operations
        return answered or scene.accepts_others(took)
    rule = rule_of_status(status)
    transient = status >= 500 and rule.charge == "refused" and rule.resend == "backoff"
    return transient and is_quick(took, scene)


def is_quick(took: float, scene: Scene) -> bool:
    """Return whether a request ended unworked, while others are being accepted.

    Where nothing is accepted it is an outage, and an outage tells nothing about limits.
    """
    if scene.known is None or not scene.has_answers:
        return scene.accepts_others(took)
    least = scene.known.least
    return took < QUICK * least and scene.accepted_ago < 1.0 + LATELY * least

"""Tells a refusal from a fault, whatever the server calls it: by what else it does meanwhile. Pure.

The service's documentation names 429. What stands between a user and the service (a company's
gateway, a firewall, a content network) says 503, 500 or 403 by default, and means the same.
"""

from vimmerse_async.control.retry import rule_of_status

QUICK = 0.5  # share of the quickest answer below which nothing was worked on
LATELY = (
    4.0  # quickest answers, and a second, since which the server has to have accepted something
)
DOUBTED = 8  # refusals of one call by another name than 429, after which it is the call's own fault


class Refusals:
    """What is known about one account's server that tells its refusals from its faults."""

    def __init__(self) -> None:
        self._answered: set[str] = set()

    def answered(self, operation: str) -> None:
        """Take note that a route was answered: whoever may ask there once may ask there again."""
        self._answered.add(operation)

    def is_refusal(
        self,
        status: int,
        operation: str,
        *,
        took: float,
        quickest: float | None,
        accepted_ago: float,
        doubts: int,
    ) -> bool:
        """Return whether a status other than 429 is the server speaking to the limit.

        A 403 is, where the same key was answered before. A 5xx is, when it came so quickly that
        nothing can have been worked on, while other requests are being accepted; where nothing is,
        it is an outage, and an outage tells nothing about limits.

        Args:
            status: Of the reply.
            operation: The route's name.
            took: Seconds from the request's departure to its reply.
            quickest: Seconds that the quickest answer of the route's class took; None: none came.
            accepted_ago: Seconds since the server last accepted anything.
            doubts: How often the same call was refused so before.
        """
        if doubts >= DOUBTED or quickest is None:
            return False
        if status == 403:
            return operation in self._answered
        rule = rule_of_status(status)
        transient = status >= 500 and rule.charge == "refused" and rule.resend == "backoff"
        quick = took < QUICK * quickest
        return transient and quick and accepted_ago < 1.0 + LATELY * quickest

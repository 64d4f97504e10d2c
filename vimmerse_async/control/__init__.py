"""Pure decisions: how many requests may go, and which are sent again."""

from vimmerse_async.control.adaptive import AdaptiveLimit
from vimmerse_async.control.fixed import FixedLimit
from vimmerse_async.control.limit import Limit, LimitSnapshot, Outcome, Permit

__all__ = ["AdaptiveLimit", "FixedLimit", "Limit", "LimitSnapshot", "Outcome", "Permit"]

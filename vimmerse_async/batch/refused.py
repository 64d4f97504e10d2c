"""A row that was found wanting before it came to a batch."""

import attrs

from vimmerse_async.models import PromptRequest


@attrs.frozen(kw_only=True)
class RefusedRequest(PromptRequest):
    """A row that cannot be asked, as was found out before it came here: it fails with a reason.

    Attributes:
        reason: Why.
    """

    reason: str

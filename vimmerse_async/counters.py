"""What a session has done so far."""

import attrs


@attrs.define
class Counters:
    """What a session has done so far.

    Attributes:
        calls: Calls begun.
        succeeded: Calls that returned a value.
        failed: Calls that raised.
        sends: Requests sent.
        refused: Requests that were refused: answered with 429, or with what stood for it.
        retried: Requests that repeated a failed one.
        possibly_charged: Sends that may have been billed although no answer arrived.
    """

    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    sends: int = 0
    refused: int = 0
    retried: int = 0
    possibly_charged: int = 0

"""Every error of the package: one tree, plain data, safe to log, to pickle and to show.

```
VimmerseError
├ InvalidRequestError (ValueError)      nothing was sent; names the field, and the row in a batch
│ ├ InvalidURLError
│ └ ConfigurationError                  key, base_url, headers, limits, timeouts
├ SessionError (RuntimeError)           not entered, closed, other loop, forked, an unfit aiohttp
├ JournalError                          locked, mismatch, corrupt, write
├ BatchError                            some rows failed; holds every result
│ └ BatchStoppedError                   the run ended early; says why and how to go on
└ APIError                              something was sent, or should have been
  ├ APIConnectionError                  no connection, or it was lost
  ├ APITimeoutError (TimeoutError)      no answer in time
  ├ OverloadedError                     `max_waiting` calls wait already; nothing was sent
  ├ APIResponseError                    a 2xx or 3xx that is not what the contract says
  └ APIStatusError                      the server said no
    ├ BadRequestError            400    ├ NotFoundError             404
    ├ AuthenticationError        401    ├ UnprocessableEntityError  422
    ├ InsufficientCreditsError   402    ├ RateLimitError            429
    └ PermissionDeniedError      403    └ InternalServerError       5xx
```

No error holds the API key, an HTTP object or anything else that does not pickle.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from vimmerse_async.models import PromptResult

Sent = Literal["no", "maybe"]
StopReason = Literal[
    "auth",
    "credits",
    "permission",
    "connection",
    "max_calls",
    "failures",
    "time",
    "throttled",
    "unavailable",
    "input",
    "internal",
]


def brief(value: object) -> str:
    """Return any value for a message: at most 80 characters, whatever its repr does."""
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 - a repr may raise anything
        return f"some {type(value).__name__}"


_PLAIN = (str, int, float, type(None))
_UNTOLD: dict[str, Any] = {"body": "", "details": (), "message": ""}
"""What an error has, and JSON of it may not have."""


def _class_of(name: object) -> type["VimmerseError"]:
    waiting: list[type[VimmerseError]] = [VimmerseError]
    for each in waiting:
        if each.__name__ == name:
            return each
        waiting += each.__subclasses__()
    return VimmerseError


def _rebuild(cls: type["VimmerseError"], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class VimmerseError(Exception):
    """The root of everything this package raises on its own account."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message

    def in_words(self) -> str:
        """Return what is wrong, for people who did not call a function."""
        return self.message

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON: its class, its words, and its facts, without bodies."""
        facts = {name: each for name, each in vars(self).items() if name not in _UNTOLD}
        told = {name: each for name, each in facts.items() if isinstance(each, _PLAIN)}
        return {"type": type(self).__name__, **told, "message": self.message}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "VimmerseError":
        """Return the error that `to_dict` told of; of an unknown class the nearest that there is.

        Args:
            facts: What `to_dict` returned, as it is or from JSON.
        """
        told = {**_UNTOLD, **facts}
        found = _class_of(told.pop("type", None))
        error: VimmerseError = _rebuild(found, (told["message"],), told)
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class InvalidRequestError(VimmerseError, ValueError):
    """The input cannot be sent; nothing was sent.

    Attributes:
        field: The name of the argument or field that is wrong.
        index: The row's position in a batch, from 0; None outside of one.
    """

    def __init__(self, message: str, *, field: str | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.index = index

    def __str__(self) -> str:
        return self.message if self.index is None else f"row {self.index}: {self.message}"

    def at(self, index: int) -> Self:
        """Return this error after noting the row of a batch that it belongs to."""
        self.index = index
        return self


class InvalidURLError(InvalidRequestError):
    """A URL that the API does not accept; nothing was sent."""


class ConfigurationError(InvalidRequestError):
    """A key, address, header, limit or timeout that cannot work; nothing was sent."""


class SessionError(VimmerseError, RuntimeError):
    """The session cannot be used here or now; the message names the fix."""


class JournalError(VimmerseError):
    """The journal cannot be used or written.

    Attributes:
        kind: "locked", "mismatch", "corrupt" or "write".
    """

    def __init__(
        self, message: str, *, kind: Literal["locked", "mismatch", "corrupt", "write"]
    ) -> None:
        super().__init__(message)
        self.kind = kind


class BatchError(VimmerseError):
    """Some rows of `gather_prompts` failed; the others are here too.

    Attributes:
        results: Every row in input order; None where a stream delivered the rows already.
        failures: The rows that failed, in input order.
        counts: How many rows failed with each error class.
    """

    def __init__(
        self, message: str = "", *, results: "Sequence[PromptResult] | None" = None
    ) -> None:
        self.results = results
        self.failures: list[PromptResult] = [row for row in results or () if row.error is not None]
        self.counts: dict[str, int] = dict(
            Counter(type(row.error).__name__ for row in self.failures)
        )
        super().__init__(message or f"{len(self.failures)} of {len(results or ())} rows failed")

    def __str__(self) -> str:
        lines = [self.message]
        if self.counts:
            lines[0] += ": " + ", ".join(f"{n} {name}" for name, n in self.counts.items())
        lines += [f"  row {row.index}: {_first_line(row.error)}" for row in self.failures[:3]]
        return "\n".join(lines)


class BatchStoppedError(BatchError):
    """A batch ended before all its rows were asked; nothing that was done is lost.

    Attributes:
        reason: "auth", "credits", "permission", "connection" (none can be made, and waiting mends
            nothing), "max_calls", "failures" (too many rows failed), "time" (the hour has come),
            "throttled", "unavailable", "input", "internal" (a fault of this package's or of
            aiohttp's).
        resume_hint: What to do next, in one sentence.
        resume_after: Seconds the server asked to wait; None when it did not say.
        not_attempted: Rows taken but not sent, plus, for sized inputs, those never taken.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: StopReason,
        resume_hint: str = "",
        resume_after: float | None = None,
        not_attempted: int = 0,
        results: "Sequence[PromptResult] | None" = None,
    ) -> None:
        super().__init__(message, results=results)
        self.reason: StopReason = reason
        self.resume_hint = resume_hint
        self.resume_after = resume_after
        self.not_attempted = not_attempted

    def in_words(self) -> str:
        """Return what stopped the batch, without saying that something did."""
        return self.message.partition(": ")[2] or self.message

    def __str__(self) -> str:
        return (
            f"{super().__str__()}\n  {self.resume_hint}" if self.resume_hint else super().__str__()
        )


class APIError(VimmerseError):
    """A request failed on its way or at the server.

    Attributes:
        operation: The route's name, such as "refine_prompt".
        attempts: Requests made for this call; those answered with 429 are not counted.
        elapsed: Seconds from the first send to the failure.
        possibly_charged: Sends that may have been billed although no answer arrived.
        request_id: The server's name for the request; None when it gave none.
        unreached: True when it was given up because there never was a connection to the server.
        refused: True when it was taken for a limit of the server's or of a gateway's, as a 429 is,
            by what the server did meanwhile.
    """

    operation: str = ""
    attempts: int = 0
    elapsed: float = 0.0
    possibly_charged: int = 0
    request_id: str | None = None
    unreached: bool = False
    refused: bool = False

    def __str__(self) -> str:
        facts = [self.operation] if self.operation else []
        return self._with([*facts, *self._facts()])

    def in_words(self) -> str:
        """Return what `str` does, without the name of the route."""
        return self._with(self._facts())

    def _with(self, facts: Sequence[str]) -> str:
        return f"{self.message} ({', '.join(facts)})" if facts else self.message

    def _facts(self) -> list[str]:
        facts: list[str] = []
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts in {self.elapsed:.1f} s")
        if self.possibly_charged:
            facts.append(f"{self.possibly_charged} possibly charged")
        if self.request_id:
            facts.append(f"request {self.request_id}")
        return facts


class APIConnectionError(APIError):
    """No connection could be made, or it was lost before the answer was complete.

    Attributes:
        kind: "connect", "dns", "tls", "local", "source" (the file of an upload failed),
            "certificate" (theirs is not trusted, or yours is wanted), "protocol" (TLS version,
            HTTP/2 only, plain HTTP where TLS was expected), "proxy" (it refuses, or is none):
            nothing was billed; "lost", "internal" (a fault of this package's or of aiohttp's): it
            may have been.
        sent: "no": the server cannot have charged for it; "maybe": it can.
    """

    def __init__(self, message: str, *, kind: str, sent: Sent) -> None:
        super().__init__(message)
        self.kind = kind
        self.sent: Sent = sent


class APITimeoutError(APIError, TimeoutError):
    """No complete answer came in time.

    Attributes:
        kind: "connect_timeout", "timeout" (one attempt), "idle" (an upload stood still) or
            "deadline" (the whole call).
        sent: "no": the server cannot have charged for it; "maybe": it can.
    """

    def __init__(self, message: str, *, kind: str = "timeout", sent: Sent = "maybe") -> None:
        super().__init__(message)
        self.kind = kind
        self.sent: Sent = sent


class OverloadedError(APIError):
    """As many calls wait for their turn as `max_waiting` allows; nothing was sent.

    A web app answers 503 with `Retry-After`.

    Attributes:
        waiting: Calls that waited already.
        retry_after: Seconds that a new call would have waited for its turn, as far as is known.
        kind: "overloaded".
        sent: "no": the server cannot have charged for it.
    """

    kind: str = "overloaded"
    sent: Sent = "no"

    def __init__(self, message: str, *, waiting: int, retry_after: float) -> None:
        super().__init__(message)
        self.waiting = waiting
        self.retry_after = retry_after


class APIResponseError(APIError):
    """The server answered with something that the contract does not know.

    Attributes:
        kind: "empty", "html", "encoding", "json", "truncated", "malformed" (worth one more try);
            "type", "error_object", "surrogate", "too_large", "redirect" (an answer, but no prompt).
        status: The HTTP status; None when there was no readable one.
        body: The first 2,000 characters of the reply, the key masked.
    """

    def __init__(
        self, message: str, *, kind: str, status: int | None = None, body: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.body = body


class APIStatusError(APIError):
    """The server answered with a 4xx or 5xx.

    Attributes:
        status: The HTTP status.
        body: The first 2,000 characters of the reply, the key masked.
        retry_after: Seconds the server asked to wait; None when it did not say.
        details: The entries of a 422's `detail` list; empty otherwise.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str = "",
        retry_after: float | None = None,
        details: Sequence[Any] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.retry_after = retry_after
        self.details: tuple[Any, ...] = tuple(details)


class BadRequestError(APIStatusError):
    """400: the server does not accept the input."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing or invalid."""


class InsufficientCreditsError(APIStatusError):
    """402: the account has no credits left."""


class PermissionDeniedError(APIStatusError):
    """403: the key may not use this resource."""


class NotFoundError(APIStatusError):
    """404: there is no such thing."""


class UnprocessableEntityError(APIStatusError):
    """422: a field failed the server's validation; see `details`."""


class RateLimitError(APIStatusError):
    """429: a rate or concurrency limit was reached, and waiting for it took too long."""


class InternalServerError(APIStatusError):
    """5xx: the server, or a gateway before it, failed."""


STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
"""The class of each status that has one; 5xx are InternalServerError, the rest APIStatusError."""


def status_error_class(status: int) -> type[APIStatusError]:
    """Return the class that stands for an HTTP status of 400 and above."""
    return STATUS_ERRORS.get(status, InternalServerError if status >= 500 else APIStatusError)


def _first_line(error: Exception | None) -> str:
    text = (error.message if isinstance(error, VimmerseError) else str(error)).partition("\n")[0]
    return f"{type(error).__name__}: {text[:200]}"

"""Which URLs may be sent: HTTPS, with a host, free of what hides or smuggles.

A URL is judged by its parsed form and sent as the caller wrote it: the parser's normal form would
break signed URLs.
"""

import re
from collections.abc import Callable

from yarl import URL

from vimmerse_async.errors import InvalidURLError

MAX_LENGTH = 8192
"""Characters; the longest request line that common servers and proxies accept."""

# A subset that needs no parser: lower-case https, plain host, printable ASCII without user info,
# and so few characters that no limit is passed.
is_plain: Callable[[str], re.Match[str] | None] = re.compile(
    r"https://(?:(?![a-z0-9-]{64})[a-z0-9]++(?:-++[a-z0-9]++)*+\.){1,3}+[a-z]{2,24}+"
    r"(?::[1-9][0-9]{0,3}+)?+(?:[/?#][!#-;=?-\[\]_a-z~]{0,7900}+)?+",
).fullmatch
# Controls, white space, invisible and direction-changing characters, surrogates, backslash.
_FORBIDDEN = re.compile(
    r"[\x00-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    r"\u3000\ufeff\ud800-\udfff\\]"
).search
_TO_LAST_AT = re.compile(r"\A([a-z]+://)?.*@", re.IGNORECASE | re.DOTALL).sub
_AUTHORITY_END = re.compile(r"[/?#]").split
_PORT = re.compile(r":[0-9]+\Z").search
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE).fullmatch


def check_url(field: str, url: object) -> None:
    """Raise `InvalidURLError` that names `field` unless the API can be given `url`."""
    if type(url) is str and is_plain(url):
        return
    reason = _objection(url)
    if reason is not None:
        raise InvalidURLError(f"{field} {reason}: {shown(url)}", field=field)


def parse(url: str) -> URL | None:
    """Return a URL's parts; None when it has none that can be read."""
    try:
        parsed = URL(url)
        parsed.explicit_port  # noqa: B018 - is read only now
    except (ValueError, IndexError):  # yarl looks for the host of "https://[::1]@" beyond its end
        return None
    return parsed


def shown(value: object) -> str:
    """Return a value for a message: short, escaped, without query, fragment or user info."""
    if not isinstance(value, str):
        return f"{type(value).__name__} {ascii(value)[:80]}"
    head = _TO_LAST_AT(r"\1***@", value[: MAX_LENGTH + 1])
    head = re.split(r"[?#]", head, maxsplit=1)[0]
    text = ascii(head[:100])
    return text if len(head) <= 100 and len(text) <= 200 else f"{text[:200]}…"


def _objection(url: object) -> str | None:
    if not isinstance(url, str):
        return "must be a str that holds an HTTPS URL"
    url = str.__str__(url)  # a subclass is judged by its characters, which are what is sent
    if len(url) > MAX_LENGTH:
        return f"has {len(url):,} characters; at most {MAX_LENGTH:,} can be sent"
    if (found := _FORBIDDEN(url)) is not None:
        return f"contains {found.group()!a} at position {found.start()}; percent-encode it"
    if url[:8].lower() != "https://":
        return "must begin with https:// (the API takes HTTPS URLs only)"
    authority = _AUTHORITY_END(url[8:], 1)[0]
    if "@" in authority:
        return "must not hold a user name or password"
    parsed = parse(url)
    if parsed is None:
        return "is not a URL that can be read"
    port = parsed.explicit_port
    if port is not None and (port == 0 or not _PORT(authority)):
        return "has a port that cannot be"
    return host_objection(parsed.raw_host)


def host_objection(host: str | None) -> str | None:
    """Return why a parsed URL's host cannot be one; None when it can."""
    if not host:
        return "has no host"
    if ":" in host:
        return None
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL(label) for label in labels):
        return "has a host name that cannot exist"
    return None

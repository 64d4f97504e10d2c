"""Which web pages may ask from a browser: the CORS protocol, for origins that were named.

Without a name no page may: the browser keeps the answers from it. What is under /_emulator is never
shared, so that no page reads what others asked.
"""

import re
from collections.abc import Iterable, Mapping

from aiohttp import web

from vimmerse_async.emulator.api.reply import NO_HEADERS, EmulatorReply, refused

ALL = "*"
ANY_METHOD = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""Where there is no route: let a page ask, or its browser tells it of CORS instead of the 404."""
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_HEADERS = "Authorization, Content-Type, Username, X-Api-Key, X-Client-Type"
_REMEMBERED = "600"


def origins_from(given: Iterable[str]) -> frozenset[str]:
    """Return origins as browsers send them; `*` stands for all.

    Raises:
        ValueError: One is no origin; the message shows what is.
    """
    if isinstance(given, str):
        given = (given,)
    origins = frozenset(origin.lower() for origin in given)
    for origin in origins - {ALL}:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                "cors takes origins, scheme and host and port without a path, as in "
                f"http://localhost:5173, or * for all of them; not {origin!r}"
            )
    return origins


class Sharing:
    """Answers browsers' questions, and marks the replies that a page may read.

    Args:
        origins: Who may read; empty: nobody, and no header of the protocol is sent.
    """

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def headers(self, request: web.BaseRequest) -> Mapping[str, str]:
        """Return what a reply carries so that the asking page, if any, may read it."""
        if not self._origins:
            return NO_HEADERS
        allowed = self._allowed(request)
        if allowed is None:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Expose-Headers": ALL,
            "Vary": "Origin",
        }

    def preflight(self, request: web.BaseRequest, methods: Iterable[str]) -> EmulatorReply | None:
        """Return the answer to a browser's question whether a page may ask; None: it is none.

        Raises:
            RefusedError: 403, this origin was not named.
        """
        asked = request.headers
        if (
            not self._origins
            or request.method != "OPTIONS"
            or "Origin" not in asked
            or "Access-Control-Request-Method" not in asked
        ):
            return None
        if self._allowed(request) is None:
            raise refused(403, "this origin may not ask: --cors ORIGIN allows it")
        headers = {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _REMEMBERED,
        }
        if asked.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return EmulatorReply(b"", 204, "", headers)

    def _allowed(self, request: web.BaseRequest) -> str | None:
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        if ALL in self._origins:
            return ALL
        return origin if origin in self._origins else None

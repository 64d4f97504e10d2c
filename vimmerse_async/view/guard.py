"""Who may read and change a page: its own, by a token that stands in its address."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Lets in who knows the token, under a name of this machine, from no other site.

    Args:
        token: Stands first in the path.

    Attributes:
        port: Where the page is served; known once it is.
    """

    def __init__(self, token: str) -> None:
        self.port: int = 0
        self._token = token

    def fault(self, request: web.BaseRequest) -> str | None:
        """Return why a request is refused; None: it is not."""
        name, _, port = request.headers.get("Host", "").rpartition(":")
        if name not in _NAMES or port != str(self.port):
            return "this page answers under the name of this machine only"
        token = request.path.removeprefix("/").partition("/")[0]
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            return "the address lacks the token: open the one that the command printed"
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.headers['Host']}":
            return "another site may not ask this page"
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in {"same-origin", "none"}:
            return "another site may not ask this page"
        if request.method == "POST" and request.content_type != "application/json":
            return "changes come as JSON"
        return None

    def middleware(self) -> Any:
        """Return what stands before every handler."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self.fault(request)
            if fault is not None:
                return web.Response(status=403, text=fault, headers=HEADERS)
            try:
                return await handler(request)
            except web.HTTPException as error:
                return web.Response(status=error.status, text=error.reason, headers=HEADERS)

        return guarded

"""What the server tells about itself, and how it is told to behave, over HTTP.

Only a loopback `Host` gets an answer and only the token's holder changes anything, so that no web
page can, whatever name it gives this address.
"""

import hmac
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Protocol

import attrs
from aiohttp import web

from vimmerse_async.emulator.api.app import PREFIX, App
from vimmerse_async.emulator.api.forms import read_bytes
from vimmerse_async.emulator.api.reply import (
    NAME,
    EmulatorReply,
    as_json,
    problem,
    refused,
    unprocessable,
)
from vimmerse_async.emulator.behaviour.account import Account
from vimmerse_async.emulator.behaviour.faults import Fault
from vimmerse_async.emulator.behaviour.limits import Limits
from vimmerse_async.emulator.behaviour.records import Seen
from vimmerse_async.emulator.behaviour.spec import as_data, check_plan

TOKEN_HEADER = "X-Emulator-Token"  # noqa: S105 - the header's name
_SHOWN = 1_000
_PATIENCE = 30.0


class Controls(Protocol):
    """What the routes turn."""

    token: str

    @property
    def account(self) -> Account:
        """The state that is shown."""
        ...

    def reset(self, **changed: Any) -> None:
        """Begin anew."""
        ...

    def set_faults(self, faults: Iterable[Fault | Mapping[str, Any]]) -> None:
        """Follow another plan."""
        ...

    def set_limits(self, limits: Limits | Mapping[str, Any] | None) -> None:
        """Hold other limits."""
        ...


Show = Callable[[Account, web.BaseRequest], Any]
Change = Callable[[Controls, Any], None]


def add_admin(app: App, controls: Controls) -> None:
    """Serve what is under /_emulator, and the description of the API."""
    for path, show in _SHOWS.items():
        app.add("GET", PREFIX + path, partial(_show, controls, show))
    for (method, path), (change, show) in _CHANGES.items():
        app.add(method, PREFIX + path, partial(_change, controls, change, show))
    for path in ("/openapi.json", f"{PREFIX}/openapi.json"):
        app.add("GET", path, _openapi)


async def _show(controls: Controls, show: Show, request: web.BaseRequest) -> EmulatorReply:
    _check_host(request)
    return as_json(show(controls.account, request))


async def _change(
    controls: Controls, change: Change, show: Show, request: web.BaseRequest
) -> EmulatorReply:
    _check_host(request)
    token = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(token.encode(errors="replace"), controls.token.encode()):
        raise refused(403, f"changes need the emulator's token in {TOKEN_HEADER}")
    body = await read_bytes(request, _PATIENCE)
    try:
        change(controls, json.loads(body) if body else None)
    except (ValueError, TypeError, RecursionError) as error:
        raise unprocessable([problem(["body"], str(error), "value_error")]) from None
    return as_json(show(controls.account, request))


def _check_host(request: web.BaseRequest) -> None:
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    try:
        loopback = ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        loopback = name == "localhost"
    if not loopback:
        raise refused(403, "the emulator is administered as localhost only")


def _show_name(_: Account, __: web.BaseRequest) -> Any:
    return {"server": NAME, "version": version("vimmerse-async")}


def _show_requests(account: Account, request: web.BaseRequest) -> Any:
    log = account.log
    last = request.query.get("last", "")
    shown = log.latest()[-(int(last) if last.isdecimal() and len(last) < 9 else _SHOWN) :]
    return {
        "total": log.total,
        "in_flight": log.in_flight,
        "peak": log.peak,
        "billed": log.billed,
        "outcomes": log.outcomes,
        "routes": log.routes,
        "requests": [_seen(seen) for seen in shown],
    }


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        **attrs.asdict(seen),
        "outcome": seen.outcome,
        "sent": seen.sent.decode(errors="replace"),
    }


def _show_faults(account: Account, _: web.BaseRequest) -> Any:
    return [as_data(fault) for fault in account.plan.faults]


def _show_limits(account: Account, _: web.BaseRequest) -> Any:
    return as_data(account.limiter.given)


def _show_wallet(account: Account, _: web.BaseRequest) -> Any:
    wallet = account.wallet
    return {"credits": wallet.balance, "spent": wallet.spent, "prices": wallet.prices}


def _reset(controls: Controls, body: Any) -> None:
    controls.reset(**check_plan({} if body is None else body))


def _set_faults(controls: Controls, body: Any) -> None:
    controls.set_faults(() if body is None else body)


def _set_limits(controls: Controls, body: Any) -> None:
    controls.set_limits(body)


def _top_up(controls: Controls, body: Any) -> None:
    if type(body) is not dict or list(body) != ["credits"]:  # pyright: ignore[reportUnknownArgumentType]
        raise ValueError('a top-up is {"credits": number}')
    controls.account.wallet.top_up(body["credits"])


async def _openapi(_: web.BaseRequest) -> EmulatorReply:
    return EmulatorReply(files("vimmerse_async.emulator").joinpath("openapi.json").read_bytes())


_SHOWS: Mapping[str, Show] = {
    "": _show_name,
    "/requests": _show_requests,
    "/faults": _show_faults,
    "/limits": _show_limits,
    "/wallet": _show_wallet,
}
_CHANGES: Mapping[tuple[str, str], tuple[Change, Show]] = {
    ("POST", "/reset"): (_reset, _show_requests),
    ("PUT", "/faults"): (_set_faults, _show_faults),
    ("DELETE", "/faults"): (lambda controls, _: _set_faults(controls, None), _show_faults),
    ("PUT", "/limits"): (_set_limits, _show_limits),
    ("DELETE", "/limits"): (lambda controls, _: _set_limits(controls, None), _show_limits),
    ("POST", "/wallet"): (_top_up, _show_wallet),
}

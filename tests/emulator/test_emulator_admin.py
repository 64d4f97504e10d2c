"""What the server tells of itself, and who may tell it what to do."""

import json

import pytest

from vimmerse_async.emulator import Fault, Limits

CHANGES = [
    ("POST", "/_emulator/reset"),
    ("PUT", "/_emulator/faults"),
    ("DELETE", "/_emulator/faults"),
    ("PUT", "/_emulator/limits"),
    ("DELETE", "/_emulator/limits"),
    ("POST", "/_emulator/wallet"),
]


def allowed(caller) -> dict[str, str]:
    return {"X-Emulator-Token": caller.emulator.token}


async def change(caller, method, path, value=None):
    return await caller.ask(method, "/_emulator" + path, json=value, headers=allowed(caller))


async def test_requests_are_shown_with_their_outcomes(call):
    """Every request is listed: when, where, who, what and how it ended, and the counters."""
    caller = await call(limits={"per_minute": 2}, faults=[{"kind": "html", "nth": 2}])
    for _ in range(3):
        await caller.post("/v2/text/refine-prompt", {"prompt": "a cat"})
    shown = (await caller.ask("GET", "/_emulator/requests", headers={})).value
    assert shown["total"] == 3
    assert shown["outcomes"] == {"200": 1, "html": 1, "429": 1}
    assert shown["routes"] == {"/v2/text/refine-prompt": 3}
    assert (shown["peak"], shown["in_flight"], shown["billed"]) == (1, 0, 1)
    first = shown["requests"][0]
    assert json.loads(first["sent"]) == {"prompt": "a cat"}
    assert {"number", "time", "route", "key", "body", "outcome", "in_flight"} <= set(first)
    assert caller.emulator.key not in json.dumps(shown)


async def test_the_list_can_be_cut(call):
    """`last` gives the latest only; nonsense is ignored."""
    caller = await call()
    for _ in range(3):
        await caller.post("/v2/text/suggest-prompt")
    for last, count in [("2", 2), ("99", 3), ("-1", 3), ("x", 3), ("9" * 99, 3)]:
        shown = await caller.ask("GET", f"/_emulator/requests?last={last}")
        assert [it["number"] for it in shown.value["requests"]] == [1, 2, 3][3 - count :]


async def test_the_log_keeps_its_counters_for_ever_and_its_details_for_the_latest(call):
    """Memory does not grow with the number of requests."""
    caller = await call(log_size=2)
    for _ in range(5):
        await caller.post("/v2/text/suggest-prompt")
    shown = (await caller.ask("GET", "/_emulator/requests")).value
    assert (shown["total"], shown["outcomes"]) == (5, {"200": 5})
    assert [it["number"] for it in shown["requests"]] == [4, 5]


@pytest.mark.parametrize("body", [b'{"prompt": "\\ud800"}', b"NaN", b"[" * 4000, b"\xff", b"{}"])
async def test_G17_whatever_was_sent_can_be_shown(call, body):
    """No request breaks the list in which it stands."""
    caller = await call()
    headers = {"X-Api-Key": caller.emulator.key, "Content-Type": "application/json"}
    await caller.ask("POST", "/v2/text/refine-prompt", data=body, headers=headers)
    shown = await caller.ask("GET", "/_emulator/requests")
    assert shown.status == 200
    assert shown.value["requests"][0]["sent"] == body.decode(errors="replace")


async def test_limits_and_faults_are_set_shown_and_lifted(call):
    """What is put is what is shown, and what then holds."""
    caller = await call()
    limits = {"per_minute": 1, "changes": [{"after": 3600.0, "in_flight": 2}]}
    faults = [{"kind": "status", "status": 503, "count": 1}]
    assert (await change(caller, "PUT", "/limits", limits)).value == limits
    assert (await change(caller, "PUT", "/faults", faults)).value == faults
    assert (await caller.ask("GET", "/_emulator/limits")).value == limits
    statuses = [(await caller.post("/v2/text/suggest-prompt")).status for _ in range(2)]
    assert statuses == [503, 429]
    assert (await change(caller, "DELETE", "/limits")).value == {}
    assert (await change(caller, "DELETE", "/faults")).value == []
    assert (await caller.post("/v2/text/suggest-prompt")).status == 200


async def test_the_wallet_is_shown_and_topped_up(call):
    """The balance is what was there and what was added."""
    caller = await call(credits=1)
    topped = await change(caller, "POST", "/wallet", {"credits": 2.5})
    await caller.post("/v2/text/suggest-prompt")
    shown = (await caller.ask("GET", "/_emulator/wallet")).value
    assert topped.value["credits"] == 3.5
    assert (shown["credits"], shown["spent"]) == (2.5, 1)
    assert shown["prices"]["/v2/text/prompt"] == 1


async def test_a_reset_takes_a_plan(call):
    """A reset begins anew and may say how."""
    caller = await call()
    await caller.post("/v2/text/suggest-prompt")
    shown = await change(caller, "POST", "/reset", {"credits": 0, "limits": {"in_flight": 3}})
    assert (shown.value["total"], shown.value["requests"]) == (0, [])
    assert (await caller.post("/v2/text/suggest-prompt")).status == 402
    assert caller.emulator.account.limiter.given == Limits(in_flight=3)
    await change(caller, "POST", "/reset")
    assert (await caller.post("/v2/text/suggest-prompt")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "value", "reason"),
    [
        ("PUT", "/faults", [{"kind": "earthquake"}], "earthquake"),
        ("PUT", "/faults", [{"kind": "delay", "seconds": -(10**9)}], "seconds"),
        ("PUT", "/faults", [{"kind": "tls-drop"}], "HTTPS"),
        ("PUT", "/faults", {"kind": "reset"}, "list"),
        ("PUT", "/faults", 5, "list"),
        ("PUT", "/limits", {"per_second": 0}, "per_second"),
        ("PUT", "/limits", [1], "limits"),
        ("PUT", "/limits", {"in_flight": 1e9}, "in_flight"),
        ("POST", "/wallet", {"credits": -1}, "credits"),
        ("POST", "/wallet", {}, "credits"),
        ("POST", "/wallet", [], "credits"),
        ("POST", "/reset", {"weather": 1}, "weather"),
        ("POST", "/reset", {"seed": "x"}, "seed"),
        ("POST", "/reset", {"latency": "fast"}, "latency"),
        ("POST", "/reset", {"credits": "5"}, "credits"),
        ("POST", "/reset", {"prices": {"/v2/image": -1}}, "price"),
        ("POST", "/reset", {"prices": 5}, "int"),
        ("POST", "/reset", [], "object"),
    ],
)
async def test_G15_an_invalid_plan_is_a_422_with_the_reason_and_changes_nothing(
    call, method, path, value, reason
):
    """The server goes on as it was."""
    caller = await call(limits={"in_flight": 7}, faults=[Fault("empty")], credits=4)
    before = caller.emulator.account
    answer = await change(caller, method, path, value)
    assert answer.status == 422
    assert reason in answer.value["detail"][0]["msg"]
    assert caller.emulator.account is before
    assert before.limiter.given == Limits(in_flight=7)
    assert before.plan.faults == (Fault("empty"),)
    assert before.wallet.balance == 4


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_G14_changes_need_the_token(call, method, path):
    """A key does not suffice, nor a wrong token."""
    caller = await call(faults=[Fault("empty")])
    for headers in ({}, {"X-Api-Key": caller.emulator.key}, {"X-Emulator-Token": "no\xe9"}):
        assert (await caller.ask(method, path, headers=headers)).status == 403
    assert caller.emulator.account.plan.faults


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:80", "localhost.evil.test", "127.0.0.1.evil.test", "192.168.1.2", ""],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/_emulator/requests"), *CHANGES])
async def test_G14_another_host_name_is_refused(call, method, path, host):
    """A web page that rebinds its name to this address reads and changes nothing."""
    caller = await call()
    answer = await caller.ask(method, path, headers={**allowed(caller), "Host": host})
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80"]
)
async def test_every_loopback_name_is_fine(call, host):
    """However one calls this machine."""
    caller = await call()
    answer = await caller.ask("GET", "/_emulator/requests", headers={"Host": host})
    assert answer.status == 200


async def test_the_api_describes_itself(call):
    """The description is served under both names and lists what is served."""
    caller = await call()
    first = await caller.ask("GET", "/openapi.json", headers={})
    second = await caller.ask("GET", "/_emulator/openapi.json", headers={})
    assert first.value == second.value
    assert first.value["openapi"].startswith("3.1")
    for path, methods in first.value["paths"].items():
        for method in methods:
            concrete = path.replace("{asset_id}", "x")
            answer = await caller.ask(method.upper(), concrete, headers={})
            assert answer.status == (200 if path == "/health" else 401)

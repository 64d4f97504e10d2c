"""The plan of what goes wrong, as decisions: which rule strikes which request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.emulator import Fault, Limits
from vimmerse_async.emulator.behaviour.draws import Draws
from vimmerse_async.emulator.behaviour.faults import KINDS, FaultPlan
from vimmerse_async.emulator.behaviour.spec import as_data, check_plan, faults_from, read_plan

ROUTE = "/v2/text/prompt"


def strikes(plan: FaultPlan, requests: list[bytes], seed: int = 0) -> list[str | None]:
    draws = Draws(seed)
    struck = [plan.at_request(ROUTE, {}, body, draws.draw(body)[0]) for body in requests]
    return [fault and fault.kind for fault in struck]


def test_G12_shares_are_what_the_plan_says():
    """Over 10,000 requests each share is right within 2 %, also where several rules compete."""
    shares = {"reset": 0.05, "html": 0.10, "empty": 0.20, "cut-json": 0.30}
    plan = FaultPlan(Fault(kind, probability=share) for kind, share in shares.items())
    struck = strikes(plan, [b"%d" % number for number in range(10_000)])
    for kind, share in shares.items():
        assert struck.count(kind) / 10_000 == pytest.approx(share, abs=0.02)
    assert struck.count(None) / 10_000 == pytest.approx(0.35, abs=0.02)


@given(st.permutations([b"%d" % number for number in range(30)]), st.integers())
def test_G12_the_same_seed_strikes_the_same_requests_in_any_order(shuffled, seed):
    """What befalls a request is its own, whatever comes before it."""

    def by_request(requests):
        plan = FaultPlan([Fault("reset", probability=0.3), Fault("html", probability=0.3)])
        return dict(zip(requests, strikes(plan, requests, seed), strict=True))

    assert by_request(shuffled) == by_request(sorted(shuffled))


def test_another_seed_strikes_others():
    """The seed decides."""
    requests = [b"%d" % number for number in range(100)]
    rules = [Fault("reset", probability=0.5)]
    assert strikes(FaultPlan(rules), requests, 1) != strikes(FaultPlan(rules), requests, 2)


def test_a_repeated_request_draws_anew():
    """A retry of a struck request can succeed, and does so again under the same seed."""
    rules = [Fault("reset", probability=0.5)]
    struck = strikes(FaultPlan(rules), [b"same"] * 50)
    assert set(struck) == {None, "reset"}
    assert struck == strikes(FaultPlan(rules), [b"same"] * 50)


def test_old_requests_are_forgotten():
    """Telling requests from their repetitions takes bounded memory."""
    draws = Draws(0)
    first = draws.draw(b"first")
    assert draws.draw(b"first") != first
    for number in range(40_000):
        draws.draw(b"%d" % number)
    assert draws.draw(b"first") == first
    assert len(draws._asked) < 40_000


def test_a_rule_strikes_the_nth_request_that_it_matches():
    """Requests of another route, header or text are not counted."""
    plan = FaultPlan([Fault("reset", route="/v2/text/*", header={"X-Client-Type": "batch"}, nth=2)])
    batch = {"X-Client-Type": "batch"}
    asked = [("/v2/image", batch), (ROUTE, batch), (ROUTE, {}), (ROUTE, batch), (ROUTE, batch)]
    struck = [plan.at_request(route, headers, b"", 0.5) for route, headers in asked]
    assert [bool(fault) for fault in struck] == [False, False, False, True, False]


def test_a_rule_can_be_aimed_at_a_text():
    """One row of a catalog can be made to fail, wherever it comes."""
    plan = FaultPlan([Fault("status", status=422, contains="shoe-7.png")])
    bodies = [b'{"image_url": "https://a/shoe-%d.png"}' % number for number in (6, 7, 77, 7)]
    struck = [plan.at_request(ROUTE, {}, body, 0.5) for body in bodies]
    assert [bool(fault) for fault in struck] == [False, True, False, True]


def test_a_count_ends_a_rule():
    """After its last strike the rule lets everything through."""
    assert strikes(FaultPlan([Fault("reset", count=2)]), [b"a"] * 4) == [
        "reset",
        "reset",
        None,
        None,
    ]


def test_the_first_of_several_rules_strikes():
    """Every rule counts what it matches, also what another one strikes."""
    plan = FaultPlan([Fault("reset", nth=1), Fault("html", nth=2), Fault("empty")])
    assert strikes(plan, [b"a"] * 3) == ["reset", "html", "empty"]


def test_rules_for_the_door_leave_requests_alone():
    """Connections and requests are struck by different rules."""
    plan = FaultPlan([Fault("reset-on-accept", nth=2)])
    assert strikes(plan, [b"a"] * 3) == [None] * 3
    assert [bool(plan.at_door(0.5)) for _ in range(3)] == [False, True, False]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({}, "kind"),
        ({"kind": "earthquake"}, "no fault 'earthquake'"),
        ({"kind": ["reset"]}, "fault 0"),
        ({"kind": "reset", "colour": 1}, "colour"),
        ({"kind": "reset", "seconds": 1}, "seconds means nothing"),
        ({"kind": "truncated", "billed": False}, "billed means nothing"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "delay", "seconds": float("nan")}, "seconds"),
        ({"kind": "delay", "seconds": 1e9}, "seconds"),
        ({"kind": "huge", "size": 10**12}, "size"),
        ({"kind": "huge", "size": 1.5}, "size"),
        ({"kind": "status"}, "needs a status"),
        ({"kind": "status", "status": 99}, "status"),
        ({"kind": "status", "status": True}, "status"),
        ({"kind": "reset", "probability": 0}, "probability"),
        ({"kind": "reset", "probability": 1.1}, "probability"),
        ({"kind": "reset", "probability": float("nan")}, "probability"),
        ({"kind": "reset", "nth": 0}, "nth"),
        ({"kind": "reset", "nth": 1, "probability": 0.5}, "not both"),
        ({"kind": "reset", "count": -1}, "count"),
        ({"kind": "reset", "header": {"a": 1}}, "header"),
        ({"kind": "reset", "header": 5}, "header"),
        ({"kind": "reset", "route": 5}, "route"),
        ({"kind": "redirect", "location": "https://a/\r\nX: y"}, "location"),
        ({"kind": "reset-on-accept", "route": ROUTE}, "before there is a request"),
        (7, "fault 0"),
        ({"kind": "reset", "rate": 0.3}, "fault 0: there is no rate; there are kind, route"),
    ],
)
def test_an_invalid_rule_is_refused_with_its_place_and_reason(wrong, reason):
    """A plan that cannot be meant is never run as another."""
    with pytest.raises(ValueError, match=reason) as refusal:
        faults_from([wrong])
    assert "fault 0" in str(refusal.value)


@pytest.mark.parametrize("wrong", ["reset", {"kind": "reset"}, Fault("reset")])
def test_a_plan_is_a_list(wrong):
    """One rule alone is not taken for a list of its letters."""
    with pytest.raises(ValueError, match="list of rules"):
        faults_from(wrong)


@given(
    st.dictionaries(st.text() | st.sampled_from(["kind", "nth"]), st.from_type(object) | st.none())
)
def test_G15_no_foreign_data_gets_past_the_checks_or_breaks_them(rule):
    """Whatever a plan holds, it is a rule or it is refused."""
    try:
        (fault,) = faults_from([rule])
    except ValueError:
        return
    assert fault.kind in KINDS


def test_a_plan_is_read_from_json_and_toml(tmp_path):
    """Both files hold the same plan."""
    rules = [{"kind": "status", "status": 503, "probability": 0.1}, {"kind": "reset", "nth": 3}]
    plan = {"limits": {"per_second": 5, "changes": [{"after": 9}]}, "faults": rules, "credits": 7}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "faults.json").write_text(json.dumps(rules))
    (tmp_path / "plan.toml").write_text(
        "credits = 7\n[limits]\nper_second = 5\nchanges = [{after = 9}]\n"
        "[[faults]]\nkind = 'status'\nstatus = 503\nprobability = 0.1\n"
        "[[faults]]\nkind = 'reset'\nnth = 3\n"
    )
    read = read_plan(tmp_path / "plan.json")
    assert read == read_plan(tmp_path / "plan.toml")
    assert read["limits"] == Limits(per_second=5, changes=((9.0, Limits()),))
    assert read["faults"] == read_plan(tmp_path / "faults.json")["faults"]
    assert [as_data(fault) for fault in read["faults"]] == rules


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", "[" * 100_000),
        ("a.json", "7"),
        ("a.json", '{"kind": "reset"}'),
        ("a.json", '[{"kind": "earthquake"}]'),
        ("a.toml", "faults = 5"),
        ("a.toml", "= 1"),
    ],
)
def test_a_file_that_is_no_plan_is_named(tmp_path, name, text):
    """The message tells the file and the reason."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name):
        read_plan(tmp_path / name)


def test_the_plan_of_a_reset_is_checked_whole():
    """Unknown parts are refused, not dropped."""
    with pytest.raises(ValueError, match="weather"):
        check_plan({"weather": "fine"})


async def test_the_same_seed_gives_the_same_log(call):
    """Ten faulty minutes can be had again, request by request."""
    rules = [
        Fault("empty", nth=5),
        Fault("status", status=503, probability=0.2),
        Fault("cut-json", probability=0.2, route="/v2/text/refine-prompt"),
    ]
    logs = []
    for _ in range(2):
        caller = await call(faults=rules, seed=11, latency="uniform:0,0.01")
        for number in range(60):
            await caller.post("/v2/text/refine-prompt", {"prompt": f"cat {number}"})
        logs.append([(seen.body, seen.outcome) for seen in caller.emulator.requests])
    assert logs[0] == logs[1]
    assert len({outcome for _, outcome in logs[0]}) == 4

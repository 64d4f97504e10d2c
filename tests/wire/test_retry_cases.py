"""The retry conformance table: what the server does, and what the caller, the money and it see."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from wire_kit import PURE, OpenLimit

import vimmerse_async
from vimmerse_async import (
    APIError,
    BatchStoppedError,
    RetryPolicy,
    Timeouts,
    refine_prompt,
    stream_prompts,
)

CASES = json.loads(Path(__file__).with_name("retry_cases.json").read_text(encoding="utf-8"))

PATIENCE = 10.0
"""Seconds that a busy machine may take; a call that hangs would take its attempt's 60."""


def name_of(case: dict[str, Any]) -> str:
    return f"{case['row']}-{case['description']}"


async def as_call(session: Any) -> Any:
    try:
        return await refine_prompt(session, "x")
    except APIError as error:
        return error


async def as_row(session: Any) -> Any:
    """Ask in a batch of one row, which also says why it stopped."""
    found: list[Any] = []
    try:
        async with stream_prompts(session, ["x"], option="RefinePrompt") as results:
            async for result in results:
                found.append(result)  # noqa: PERF401 - what came before a stop is kept
    except BatchStoppedError as stop:
        if not found:
            return stop
    (result,) = found
    assert result.attempts <= session.statistics().sends
    assert result.possibly_charged == session.statistics().possibly_charged
    return result.error or result.prompt


@pytest.mark.parametrize(
    ("ask", "way"), [(as_call, "direct"), (as_row, "direct"), (as_call, "session")]
)
@pytest.mark.parametrize("case", CASES, ids=name_of)
async def test_retry(case, ask, serve, connect, unheard):
    """Each row ends as the table says, with no more calls, and is counted as it must be."""
    if PURE:
        case = {**case, **case.get("pure_parser", {})}
    if ask is as_row:
        case = {**case, **case.get("in_batch", {})}
    server = await serve(*case["instructions"])
    addresses = {"nobody": unheard, "https": server.url.replace("http:", "https:")}
    address = case.get("address", server.url)
    limit = OpenLimit()
    session = await connect(
        addresses.get(address, address),
        limit=limit,
        retry=RetryPolicy(backoff_base=0.0, **case.get("retry", {})),
        timeouts=Timeouts(**case.get("timeouts", {})),
    )
    begun = time.monotonic()
    found = await ask(session)
    assert time.monotonic() - begun < case.get("max_wall", PATIENCE)
    check(found, case["expect"])
    assert len(server.requests) == case["calls"]
    assert len(server.instructions) == case.get("spare", 0)
    assert server.connections == case.get("connections", server.connections)
    statistics = session.statistics()
    assert statistics.possibly_charged == case.get("charged", statistics.possibly_charged)
    assert limit.outcomes == case.get("outcomes", limit.outcomes)
    assert statistics.sends == len(limit.outcomes)


def check(found: Any, expect: Any) -> None:
    if isinstance(expect, str):
        assert found == expect
        return
    assert type(found) is getattr(vimmerse_async, expect["error"])
    assert expect.get("says", "") in str(found)
    for name in expect.keys() - {"error", "says"}:
        assert getattr(found, name) == expect[name], name
    assert len(found.message) <= 1200


def test_the_table_names_its_rows():
    """No two rows have one name: a failure can be found."""
    names = [name_of(case) for case in CASES]
    assert len(set(names)) == len(names)

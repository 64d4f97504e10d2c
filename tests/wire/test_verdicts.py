"""One error, one meaning: journal, catalog, exit code, hooks and statistics say the same of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from wire_kit import PURE

from vimmerse_async import (
    BatchStoppedError,
    JournalReader,
    RetryPolicy,
    Timeouts,
    VimmerseError,
    stream_prompts,
)
from vimmerse_async.cli.errors import FAILED, STOPPED, exit_code
from vimmerse_async.control.retry import LONGEST_BATCH_WAIT, rule_of, verdict_of

CASES = json.loads(Path(__file__).with_name("retry_cases.json").read_text(encoding="utf-8"))


def one_of_each() -> list[Any]:
    """Return one case for every kind and status of error that the conformance table has."""
    found: dict[Any, Any] = {}
    for case in CASES:
        expect = case["expect"]
        if isinstance(expect, dict) and "address" not in case and not (PURE and "pure" in case):
            status = expect.get("status")
            kind = expect.get("kind") or (status if status is None or status >= 400 else None)
            found.setdefault((expect["error"], kind), case)
    return [pytest.param(case, id=f"{name}-{kind}") for (name, kind), case in found.items()]


async def asked(session: Any, path: Path) -> VimmerseError | None:
    """Return the error of a batch of one row that keeps a journal."""
    found: list[Any] = []
    try:
        async with stream_prompts(session, ["x"], option="RefinePrompt", journal=path) as results:
            async for result in results:
                found.append(result)  # noqa: PERF401 - what came before a stop is kept
    except BatchStoppedError:
        pass
    return found[0].error if found else None


@pytest.mark.parametrize("case", one_of_each())
async def test_all_say_the_same(case, serve, connect, witness, tmp_path):
    """What an error means is one answer, whoever is asked."""
    server = await serve("ok_and_connection_close", *case["instructions"])
    session = await connect(
        server.url,
        retry=RetryPolicy(backoff_base=0.0, max_attempts=1),
        timeouts=Timeouts(**case.get("timeouts", {})),
    )
    await session.emulated()  # asked for by the journal, once: not by the instructions' request
    error = await asked(session, tmp_path / "run.db")
    if error is None:  # one attempt shows an answer where the table's several show an error
        pytest.skip("the first answer of this case is a prompt")
    verdict, rule = verdict_of(error), rule_of(error)
    with JournalReader(tmp_path / "run.db") as journal:
        (row,) = journal.results()
        (run,) = journal.runs()
    assert row.state == verdict
    assert exit_code(error) == (STOPPED if verdict == "unfinished" else FAILED)
    statistics, (call,) = session.statistics(), witness.calls
    refused = int(rule.is_refusal)
    assert (statistics.refused, call.refused, run.refused) == (refused, refused, refused)
    told = (getattr(error, "retry_after", None) or 0.0) > LONGEST_BATCH_WAIT
    ended = "throttled" if told else "finished"
    assert run.outcome == (rule.stops if rule.stops_at_once else ended)
    maybe = int(rule.charge == "maybe")
    assert (statistics.possibly_charged, row.possibly_charged, run.possibly_charged) == (maybe,) * 3
    assert not witness.retries

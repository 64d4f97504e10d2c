"""A run that is told in money, and stops for it, for failures, or because its hour has come."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cli_kit import Ended, write_urls

from vimmerse_async.catalog.money import invoice
from vimmerse_async.emulator import Emulator, Fault
from vimmerse_async.journal.reader import JournalReader

PRICE = Decimal("0.004")


def calls(emulator: Emulator) -> int:
    return len([each for each in emulator.requests if each.route == "/v2/text/prompt"])


def test_a_run_tells_what_it_costs(vimmerse, emulator, place: Path):
    """Dry run, end and journal tell the same money, and a cap in money is never exceeded."""
    write_urls(place / "a.txt", 40)
    words = ("caption", "a.txt", "-o", "o.csv", "--price", "0.004")
    planned = vimmerse(*words, "--dry-run")
    assert re.search(r"^cost +0\.16 at 0\.004 a call$", planned.out, re.MULTILINE)
    stopped = vimmerse(*words, "--max-cost", "0.05")
    assert stopped.code == 3
    assert calls(emulator) == 12
    assert "0.05 allows no more calls at 0.004 each; allow more with --max-cost" in stopped.err
    ended = vimmerse(*words)
    assert ended.code == 0
    assert "\ncost 0.112, 0.048 saved by the journal\n" in ended.err
    assert "\nin all runs: cost 0.16, 0.048 saved by the journal\n" in ended.err
    with JournalReader("o.csv.journal") as journal:
        found = invoice(journal)
    assert found is not None
    assert found.cost == Decimal("0.16")


def test_money_needs_a_price(vimmerse, emulator, place: Path):
    """A cap in money without a price, and amounts that are none, are refused before anything."""
    write_urls(place / "a.txt", 3)
    for words in (["--max-cost", "1"], ["--price", "x"], ["--price", "1", "--max-cost", "x"]):
        assert vimmerse("caption", "a.txt", "-o", "o.csv", *words).code == 2
    assert not calls(emulator)


def test_equal_rejections_stop(vimmerse, emulator, place: Path):
    """Of rows that are all rejected alike few are asked; the run says how to go on, and can."""
    write_urls(place / "a.txt", 400)
    emulator.set_faults([Fault("status", status=404)])
    words = ("caption", "a.txt", "-o", "o.csv", "--limit", "4")
    stopped = vimmerse(*words)
    assert stopped.code == 3
    assert 20 <= calls(emulator) <= 40  # those of the last moment are not on disk yet
    assert "20 rows in a row were rejected for one reason" in stopped.err
    assert "--max-failures 100%" in stopped.err
    emulator.set_faults([])
    before = calls(emulator)
    assert vimmerse(*words, "--retry-errors").code == 0
    assert calls(emulator) - before == 400


def test_too_many_failures_stop(vimmerse, emulator, place: Path):
    """A share of the rows may fail; what was answered is kept, and the same command goes on."""
    write_urls(place / "a.txt", 60)
    emulator.set_faults([Fault("status", status=422, nth=nth) for nth in range(2, 60, 2)])
    words = ("caption", "a.txt", "-o", "o.csv", "--limit", "1", "--max-failures", "10%")
    stopped = vimmerse(*words)
    assert stopped.code == 3
    assert 12 <= calls(emulator) <= 24
    assert "rows failed, and --max-failures is 10%" in stopped.err


def test_the_hour_has_come(vimmerse, emulator, place: Path, monkeypatch: pytest.MonkeyPatch):
    """A run ends by the time that it has, sends nothing after it, and the next one goes on."""
    write_urls(place / "a.txt", 50)
    emulator.reset(latency=0.3)
    end = datetime.now().astimezone() + timedelta(seconds=2.5)
    words = ("caption", "a.txt", "-o", "o.csv", "--limit", "2")
    stopped = vimmerse(*words, "--until", end.isoformat())
    assert stopped.code == 3
    assert datetime.now().astimezone() - end < timedelta(seconds=2)
    assert "it is to have ended by" in stopped.err
    assert 0 < calls(emulator) < 50
    begin = datetime.now().astimezone() + timedelta(seconds=1)
    emulator.reset()
    ended = vimmerse(*words, "--not-before", begin.isoformat())
    assert ended.code == 0
    assert datetime.now().astimezone() >= begin
    assert "nothing is sent before" in ended.err


def check_wallet(vimmerse: Callable[..., Ended], emulator: Emulator, seed: int) -> None:
    faults = [
        Fault("close", probability=0.04, billed=True),
        Fault("reset", probability=0.03),
        Fault("status", status=503, probability=0.05),
        Fault("status", status=422, probability=0.05),
        Fault("cut-json", probability=0.03),
        Fault("truncated", probability=0.03),
    ]
    emulator.reset(faults=faults, seed=seed)
    words = ("caption", "a.txt", "-o", f"{seed}.csv", "--price", "0.004")
    vimmerse(*words, "--max-cost", "0.2")
    vimmerse(*words)
    vimmerse(*words)
    with JournalReader(f"{seed}.csv.journal") as journal:
        found = invoice(journal)
        assert found is not None
        spent = Decimal(str(emulator.account.wallet.spent)) * PRICE
        assert found.cost <= spent <= found.cost + found.maybe
        assert found.cost == PRICE * journal.counts()["answered"]
    billed = [each for each in emulator.requests if each.billed]
    answered = [each for each in billed if each.fault is None]
    assert len({each.body for each in answered}) == len(answered)
    assert found.cost == PRICE * len(answered)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_wallet_is_the_invoice(vimmerse, emulator, place: Path, seed: int):
    """Whatever goes wrong, nothing answered is paid twice, and the wallet is what is invoiced."""
    write_urls(place / "a.txt", 120)
    check_wallet(vimmerse, emulator, seed)


@pytest.mark.full
def test_the_wallet_is_the_invoice_in_20_runs(vimmerse, emulator, place: Path):
    """The same in 20 seeded runs of 300 rows."""
    write_urls(place / "a.txt", 300)
    for seed in range(20):
        check_wallet(vimmerse, emulator, seed)

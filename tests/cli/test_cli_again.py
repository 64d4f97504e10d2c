"""Look at a sample, mark what is bad, ask it again in other words, go on: in one journal."""

import contextlib
import csv
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from test_cli_sample import calls, write_shop

from vimmerse_async.catalog.condition import Condition
from vimmerse_async.catalog.money import invoice
from vimmerse_async.emulator import Fault
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal import schema
from vimmerse_async.journal.marks import Judged, Marks
from vimmerse_async.journal.place import Place
from vimmerse_async.journal.reader import JournalReader
from vimmerse_async.view.live import Live

RUN = ("caption", "a.csv", "-o", "o.csv", "--price", "0.004")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def prompts(path: Path) -> dict[str, str]:
    return {row["sku"]: row["prompt"] for row in rows(path)}


def check_paid_once(emulator) -> None:
    billed = Counter(each.body for each in emulator.requests if each.billed)
    assert set(billed.values()) == {1}


def test_the_loop(vimmerse, emulator, place: Path):
    """What was marked is asked in other words, stands from then on, and nothing is paid twice."""
    write_shop(place / "a.csv", 40)
    vimmerse(*RUN, "--sample", "12")
    sample = {sku: said for sku, said in prompts(place / "o.csv").items() if said}
    bad = sorted(sample)[:4]
    listed = ", ".join(f"'{sku}'" for sku in bad)
    marked = vimmerse("mark", "o.csv", f"sku IN ({listed})", "--bad", "--note", "too dull")
    assert "4 answers marked" in marked.err
    planned = vimmerse(*RUN, "--again", "marked", "--prompt", "in oils", "--dry-run")
    assert "calls needed        4" in planned.out
    again = vimmerse(*RUN, "--again", "marked", "--prompt", "in oils")
    assert again.code == 0
    assert calls(emulator) == 16
    now = prompts(place / "o.csv")
    assert [sku for sku in sample if now[sku] != sample[sku]] == [s for s in sample if s in bad]
    assert vimmerse(*RUN, "--again", "marked", "--prompt", "in oils").code == 0
    assert calls(emulator) == 16
    assert vimmerse(*RUN).code == 0
    assert calls(emulator) == 44
    whole = prompts(place / "o.csv")
    assert {sku: whole[sku] for sku in bad} == {sku: now[sku] for sku in bad}
    vimmerse("mark", "o.csv", "kind = 'kind 2' AND prompt NOT LIKE '%oils%'", "--bad")
    vimmerse(*RUN, "--again", "marked", "--prompt", "in oils")
    with JournalReader("o.csv.journal") as journal:
        spent = invoice(journal)
    assert spent is not None
    assert spent.cost == Decimal(str(emulator.account.wallet.spent)) * Decimal("0.004")
    check_paid_once(emulator)


def test_the_same_words_once_more(vimmerse, emulator, place: Path):
    """Without other words the same question is asked once more, also after a stop once only."""
    write_shop(place / "a.csv", 10)
    vimmerse(*RUN)
    vimmerse("mark", "o.csv", "kind = 'kind 1'", "--bad")
    vimmerse(*RUN, "--again", "marked", "--max-calls", "1")
    vimmerse(*RUN, "--again", "marked")
    vimmerse(*RUN, "--again", "marked")
    assert calls(emulator) == 13
    vimmerse(*RUN, "--again", "kind = 'kind 2'", "--max-calls", "1")
    vimmerse(*RUN, "--again", "kind = 'kind 2'")
    assert calls(emulator) == 15
    vimmerse(*RUN, "--again", "kind = 'kind 2'")
    assert calls(emulator) == 17
    vimmerse("export", "o.csv", "--versions", "-o", "v.csv")
    found = [row for row in rows(place / "v.csv") if row["kind"] == "kind 2"]
    assert [row["version"] for row in found] == ["1", "2", "3"] * 2
    assert [row["stands"] for row in found] == ["false", "false", "true"] * 2


def test_versions_keep_what_was_thought_of_them(vimmerse, emulator, place: Path):
    """Marks, notes, edits and checks stand beside the answer that they were said of."""
    write_shop(place / "a.csv", 3)
    vimmerse(*RUN)
    vimmerse("mark", "o.csv", "sku = 'S1'", "--bad", "--note", "too dull")
    vimmerse(*RUN, "--again", "marked", "--prompt", "in oils")
    vimmerse("mark", "o.csv", "sku = 'S1'", "--good", "--edit", "a fox")
    vimmerse("export", "o.csv", "--versions", "-o", "v.csv")
    found = [row for row in rows(place / "v.csv") if row["sku"] == "S1"]
    names = ("version", "stands", "mark", "note", "edited")
    assert [tuple(row[name] for name in names) for row in found] == [
        ("1", "false", "bad", "too dull", ""),
        ("2", "true", "good", "", "a fox"),
    ]


def test_another_template_for_what_was_marked(vimmerse, emulator, place: Path):
    """`--again --template` asks each row that is meant in its own words, and no other row."""
    write_shop(place / "a.csv", 6)
    vimmerse(*RUN, "--template", "A {kind}")
    vimmerse("mark", "o.csv", "kind = 'kind 1'", "--bad")
    again = (*RUN, "--again", "marked", "--template", "Plainly {kind}, {sku}")
    assert "calls needed        2" in vimmerse(*again, "--dry-run").out
    stopped = vimmerse(*again, "--max-calls", "1")
    assert "'Plainly {kind}, {sku}'" in stopped.err.partition("to go on: ")[2]
    assert vimmerse(*again).code == 0
    asked = sorted(each.fields["prompt"] for each in emulator.requests if each.billed)
    first = [f"A kind {n}" for n in (0, 0, 1, 1, 2, 3)]
    assert asked == [*first, "Plainly kind 1, S1", "Plainly kind 1, S5"]
    refused = vimmerse(*RUN, "--again", "marked", "--template", "{colour}")
    assert (refused.code, "colour" in refused.err) == (2, True)
    assert vimmerse(*RUN, "--template", "A {kind}").code == 0
    assert calls(emulator) == 8
    vimmerse("mark", "o.csv", "sku = 'S0'", "--bad")
    vimmerse(*RUN, "--again", "marked", "--prompt", "in oils")
    assert emulator.requests[-1].fields["prompt"] == "in oils"


def test_again_with_a_template_that_not_every_row_fills(vimmerse, emulator, place: Path):
    """Rows that cannot be asked in the new words are told, or stop all with `--missing fail`."""
    (place / "a.csv").write_text(
        "sku,kind,image\nS0,,https://a.example/0\nS1,b,https://a.example/1\n"
    )
    vimmerse(*RUN)
    again = (*RUN, "--again", "all", "--template", "A {kind}")
    failed = vimmerse(*again, "--missing", "fail")
    assert (failed.code, "line 2" in failed.err, calls(emulator)) == (2, True, 2)
    left = vimmerse(*again)
    assert (left.code, calls(emulator)) == (0, 3)
    assert "1 more that are meant cannot be asked: line 2: column 'kind' is empty" in left.err
    assert vimmerse(*again, "--missing", "empty").code == 0
    assert emulator.requests[-1].fields["prompt"] == "A"
    assert calls(emulator) == 4


def test_what_failed_is_asked_again_in_other_words(vimmerse, emulator, place: Path):
    """A row that was rejected gets the answer to the other question, which then stands."""
    write_shop(place / "a.csv", 8)
    emulator.set_faults([Fault("status", status=422, nth=nth) for nth in (2, 5)])
    assert vimmerse(*RUN, "--limit", "1").code == 1
    failed = vimmerse("export", "o.csv", "--failed")
    assert failed.err.startswith("wrote 2 rows")
    assert vimmerse(*RUN, "--again", "failed", "--mode", "scene").code == 0
    assert calls(emulator) == 10
    assert all(prompts(place / "o.csv").values())
    assert vimmerse(*RUN).code == 0
    assert calls(emulator) == 10


def test_an_edited_answer(vimmerse, emulator, place: Path):
    """An edited text stands as the prompt, its answer beside it, until the edit is taken back."""
    write_shop(place / "a.csv", 3)
    vimmerse(*RUN)
    before = prompts(place / "o.csv")
    vimmerse("mark", "o.csv", "sku = 'S1'", "--edit", "a fox, by hand", "--good")
    assert vimmerse(*RUN).code == 0
    found = {row["sku"]: (row["prompt"], row["prompt_original"]) for row in rows(place / "o.csv")}
    assert found == {
        "S0": (before["S0"], ""),
        "S1": ("a fox, by hand", before["S1"]),
        "S2": (before["S2"], ""),
    }
    exported = vimmerse("export", "o.csv", "--to", "jsonl").out
    assert '"prompt_original": "' in exported
    vimmerse("mark", "o.csv", "all", "--clear")
    vimmerse(*RUN)
    assert "prompt_original" not in rows(place / "o.csv")[0]
    assert calls(emulator) == 3


def test_a_folder_is_asked_again(vimmerse, emulator, place: Path, photos: Path):
    """Pictures of a folder are asked again under their digests, in the same and in other words."""
    run = ("caption", photos, "-o", "p.csv")
    vimmerse(*run)
    vimmerse("mark", "p.csv", "file = 'red.png'", "--bad")
    assert vimmerse(*run, "--again", "marked").code == 0
    vimmerse("mark", "p.csv", "file = 'red.png'", "--bad")
    assert vimmerse(*run, "--again", "marked", "--mode", "video").code == 0
    assert calls(emulator) == 5
    exported = vimmerse("export", "p.csv", "--versions").out
    assert sum(line.startswith("red.png") for line in exported.splitlines()) == 3


def test_again_makes_no_sense(vimmerse, emulator, place: Path):
    """Before the first run, with a condition that is none, nothing is sent."""
    write_shop(place / "a.csv", 3)
    assert vimmerse(*RUN, "--again", "marked").code == 2
    vimmerse(*RUN)
    refused = vimmerse(*RUN, "--again", "colour = 'red'")
    assert (refused.code, "sku, kind, image" in refused.err) == (2, True)
    assert calls(emulator) == 3


@pytest.mark.parametrize(
    "text", ["", "(", "1; DROP TABLE x", "ATTACH 'x' AS y", "load_extension('x')", "nothing = 1"]
)
def test_no_condition(text: str):
    """What is no expression, or would do more than look, is refused with what there is."""
    with pytest.raises(InvalidRequestError, match="sku"):
        Condition(text, ["sku"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = 'x", "a quote or a comment is not closed"),
        ('title = "x', "a quote or a comment is not closed"),
        ("1 /* x", "a quote or a comment is not closed"),
        ("title =", "incomplete input"),
        ("1) FROM (SELECT 1", 'near ")"'),
        ("1 LIMIT 0", 'near "LIMIT"'),
        ("titel = 'x'", "no column titel, did you mean title"),
        ("\"titel\" = 'x'", "no column titel, did you mean title"),
        ("[titel] = 'x'", "no column titel, did you mean title"),
        ("markd", "did you mean marked or mark"),
        ('mark = "bad"', "A text stands in single quotes: 'bad'"),
        ("check = 'short'", 'write the column as "check"'),
        ("wrods(prompt) < 3", "no function wrods"),
        ("title REGEXP '['", "no regular expression"),
    ],
)
def test_what_is_wrong_with_a_condition(text: str, said: str):
    """It is said in the user's words, with the names that come near, and never in our own SQL."""
    with pytest.raises(InvalidRequestError) as caught:
        Condition(text, ["sku", "title"])
    assert said in caught.value.message
    assert "? AS" not in caught.value.message


def test_conditions():
    """Words and expressions see what stands, what is thought of it, and the catalog's columns."""
    judged = Judged(b"", ("answered", "a red fox", None, None, None), "bad", None, "dull", "short")
    cases = {
        "marked": True, "flagged": True, "good": False, "failed": False, "unasked": False,
        "words(prompt) = 3": True, "prompt REGEXP 'r.d'": True, "\"Sku \"\"x\" = 'A'": True,
        "note LIKE '%DULL%' AND tags LIKE '%1%'": True, "price > 3": False,
    }  # fmt: skip
    values = {'Sku "x': "A", "tags": [1, 2], "price": 2}
    for text, expected in cases.items():
        with Condition(text, list(values)) as condition:
            assert condition.matches(values, judged) is expected, text


def test_what_has_no_answer_has_no_words():
    """`words` of nothing is unknown, as any comparison with it: what was not asked is not short."""
    for text in ("words(prompt) < 5", "words(prompt) >= 0"):
        with Condition(text, ["sku"]) as condition:
            assert not condition.matches({"sku": "A"}, Judged(b"", None))


def test_a_journal_of_version_2_is_marked(vimmerse, emulator, place: Path):
    """A journal from before there were marks is read without them, and gets them when marked."""
    write_shop(place / "a.csv", 3)
    vimmerse(*RUN)
    with sqlite3.connect("o.csv.journal") as connection:
        for table in ("marks", "versions", "checks", "similar", "orders", "moments"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DROP INDEX placed")
        connection.execute("CREATE UNIQUE INDEX questions ON results (question)")
        connection.execute("ALTER TABLE results DROP COLUMN placed")
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    assert vimmerse("export", "o.csv").code == 0
    assert "1 answer marked" in vimmerse("mark", "o.csv", "sku = 'S1'", "--bad").err
    with sqlite3.connect("o.csv.journal") as connection:
        assert schema.version_of(connection) == schema.VERSION
    connection.close()
    assert Marks(place / "o.csv.journal").set([b"nothing"], mark="bad") == 0


def test_status(vimmerse, emulator, place: Path):
    """One screen says what is done, what failed and why, what it cost, and how to go on."""
    write_shop(place / "a.csv", 9)
    emulator.set_faults([Fault("status", status=422, nth=2)])
    vimmerse(*RUN, "--max-calls", "5", "--limit", "1")
    told = vimmerse("status", "o.csv").out
    for line in (
        "rows           9", "captioned      4", "failed         1", "not asked yet  4",
        "spent          cost 0.016", "HTTP 422: body.prompt", "ceiling on calls",
        "to go on       vimmerse caption a.csv -o o.csv",
    ):  # fmt: skip
        assert line in told, told


def test_status_of_a_run_that_leaves_rows(vimmerse, place: Path):
    """A sample that is done and a run that was killed are told with how to go on."""
    write_shop(place / "a.csv", 9)
    vimmerse(*RUN, "--sample", "2")
    told = vimmerse("status", "o.csv").out
    assert "finished" in told
    assert "to go on       vimmerse caption a.csv -o o.csv" in told
    assert "--sample" not in told
    with sqlite3.connect("o.csv.journal") as connection:
        connection.execute("UPDATE runs SET outcome = NULL")
    connection.close()
    told = vimmerse("status", "o.csv").out
    assert "killed" in told
    assert "to go on" in told
    held = Place.claim("o.csv.journal")
    assert "number 1 goes on since" in vimmerse("status", "o.csv").out
    held.release()


def test_money_of_a_run_that_goes_on_or_was_killed(vimmerse, place: Path):
    """What is written was paid for, though no count says so; what may be under way is told."""
    write_shop(place / "a.csv", 9)
    vimmerse(*RUN, "--max-calls", "4")
    spent = "cost 0.016, up to 0.012 more for calls that may have been charged"

    def tell(sql: str, *values: object) -> None:
        with sqlite3.connect("o.csv.journal") as connection:
            connection.execute(sql, values)
        connection.close()

    with JournalReader("o.csv.journal") as journal, contextlib.ExitStack() as held:
        live = Live(journal, Marks(place / "o.csv.journal"))
        assert live.state()["money"] == "cost 0.016"
        tell("UPDATE runs SET outcome = NULL, answered = 1, most_under_way = 3")
        assert live.state()["money"] == spent
        assert f"spent          {spent}" in vimmerse("status", "o.csv").out
        place_ = Place.claim("o.csv.journal")
        held.callback(place_.release)
        live = Live(journal, Marks(place / "o.csv.journal"))
        assert live.state()["money"].startswith("cost 0.004, ")  # as the run said last
        tell("INSERT INTO results (question, state, run) VALUES (?, 'answered', 1)", b"x" * 16)
        assert live.state()["money"].startswith("cost 0.008, ")
        tell("UPDATE runs SET answered = 5")
        assert live.state()["money"].startswith("cost 0.02, ")
        assert "cost 0.02, " in vimmerse("status", "o.csv").out

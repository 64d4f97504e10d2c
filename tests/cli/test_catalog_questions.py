"""Which column holds what, and what is asked about a row."""

from pathlib import Path
from typing import Any

import pytest

from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.models import PromptMode, PromptOption, PromptRequest

A, B, V = "https://a.example/1.png", "https://a.example/2.png", "https://a.example/v.mp4"
IMAGE, REFINE, INSPIRE = (
    PromptOption.IMAGE_2_PROMPT, PromptOption.REFINE_PROMPT, PromptOption.INSPIRE_ME,
)  # fmt: skip


def row(**fields: Any) -> CatalogRow:
    return CatalogRow(7, fields)


ASKED = {
    "picture": (Questions(column="u"), row(u=f" {A} "), PromptRequest(IMAGE, image_url=A)),
    "all fields": (
        Questions(IMAGE, PromptMode.VIDEO, "seed", "u", "w", "v", "p"),
        row(u=A, w=B, v=V, p="own seed"),
        PromptRequest(IMAGE, "own seed", A, B, V, PromptMode.VIDEO),
    ),
    "video only": (
        Questions(column="u", video_column="v"), row(u="", v=V), PromptRequest(IMAGE, video_url=V),
    ),
    "seed for all": (
        Questions(prompt="seed", column="u", prompt_column="p"), row(u=A, p=""),
        PromptRequest(IMAGE, "seed", A),
    ),
    "text": (Questions(REFINE, column="t"), row(t="a cat"), PromptRequest(REFINE, "a cat")),
    "text from prompt column": (
        Questions(REFINE, prompt_column="p"), row(p="a cat"), PromptRequest(REFINE, "a cat"),
    ),
    "refine for a picture": (
        Questions(REFINE, prompt="seed", column="u"), row(u=A), PromptRequest(REFINE, "seed", A),
    ),
    "inspire": (Questions(INSPIRE, column="u"), row(u=A), PromptRequest(INSPIRE, image_url=A)),
}  # fmt: skip


@pytest.mark.parametrize(("questions", "given", "expected"), ASKED.values(), ids=ASKED)
def test_asked(questions: Questions, given: CatalogRow, expected: PromptRequest) -> None:
    """Each column and option lands in its field of the request, and the row comes along."""
    request = questions.ask(given)
    assert request == expected
    assert request.tag is given


REFUSED = {
    "empty": (Questions(column="u"), row(u=" "), "column u is empty"),
    "absent": (Questions(column="u"), row(x=1), "column u is empty"),
    "number": (Questions(column="u"), row(u=5), "column 'u' holds a number"),
    "list": (Questions(column="u"), row(u=[[A]]), "column 'u' holds a list"),
    "neither": (
        Questions(prompt="seed", column="u", video_column="v"), row(u="", v=""),
        "column u, v is empty",
    ),
    "no text": (Questions(REFINE, column="t"), row(t=""), "column t is empty"),
    "no prompt": (Questions(REFINE, prompt_column="p"), row(p=""), "column p is empty"),
    "url to refine": (Questions(REFINE, column="t"), row(t=A), "holds a URL, which is no text"),
    "unreadable": (Questions(column="u"), CatalogRow(7, {"u": A}, "is broken"), "is broken"),
}  # fmt: skip


@pytest.mark.parametrize(("questions", "given", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(questions: Questions, given: CatalogRow, reason: str) -> None:
    """A row that cannot be asked becomes a request that no client can send, with the reason."""
    request = questions.ask(given)
    assert reason in request.tag.error
    assert (request.image_url, request.video_url, request.prompt) == (None, None, None)
    assert reason in request.reason
    assert request.key == f"line {given.line}: {request.reason}"


SETTLED = {
    "one with urls": (Questions(), row(id="1", u=A, t="x"), "u"),
    "http counts": (Questions(), row(id="1", u="http://a.example/1"), "u"),
    "the only one": (Questions(), row(u="x"), "u"),
    "given": (Questions(column="w"), row(u=A, w=B), "w"),
    "second taken": (Questions(column2="w"), row(id="1", u=A, w=B), "u"),
    "only text": (Questions(REFINE), row(t="a cat"), "t"),
    "videos only": (Questions(video_column="v"), row(id="1", v=V, u=A), None),
    "texts only": (Questions(REFINE, prompt_column="p"), row(id="1", p="x", u=A), None),
    "list": (Questions(), row(id="1", t=["x"], u=[A]), "u"),
    "list beside a picture": (Questions(), row(u=[A], w=A), "w"),
    "picture and text": (Questions(prompt_column="p"), row(id="1", p="x", u=A), "u"),
}


@pytest.mark.parametrize(("questions", "sample", "column"), SETTLED.values(), ids=SETTLED)
def test_settled(questions: Questions, sample: CatalogRow, column: str | None) -> None:
    """The column is guessed where exactly one can be meant."""
    assert questions.settled(tuple(sample.fields), [sample]).column == column


UNSETTLED = {
    "two": (Questions(), row(u=A, w=B), "several columns hold URLs", "u, w"),
    "none": (Questions(), row(id="1", t="x"), "no column holds URLs", "id, t"),
    "texts": (Questions(REFINE), row(id="1", t="x"), "which column holds the texts", "id, t"),
    "missing": (Questions(video_column="x"), row(u=A), "'x' for --video-column", "u"),
}


@pytest.mark.parametrize(
    ("questions", "sample", "reason", "listed"), UNSETTLED.values(), ids=UNSETTLED
)
def test_unsettled(questions: Questions, sample: CatalogRow, reason: str, listed: str) -> None:
    """Where it cannot be told, the message lists the columns that there are."""
    with pytest.raises(InvalidRequestError) as caught:
        questions.settled(tuple(sample.fields), [sample])
    assert reason in str(caught.value)
    assert listed in str(caught.value)


def test_survey_of_a_file(tmp_path: Path) -> None:
    """A file's rows and fields are known before the first is asked, and all rows still come."""
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"n{place % 3}": {place}}}\n' for place in range(250)))
    with CatalogSource(str(path)) as source:
        survey = source.survey()
        assert (survey.total, survey.columns) == (250, ("n0", "n1", "n2"))
        assert source.survey(10).total == 10
        assert len(list(source.rows())) == 250


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing.csv", "No such file"),
        ("https://a.example/1.png", "vimmerse prompt --image-url"),
        ("book.xls", "save the catalog as .csv"),
        ("nul\0.csv", "null"),
    ],
)
def test_no_source(name: str, reason: str) -> None:
    """What is no catalog is refused with what to do instead."""
    with pytest.raises(InvalidRequestError) as caught:
        CatalogSource(name)
    assert reason in str(caught.value)

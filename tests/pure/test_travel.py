"""Answers leave the process: as JSON, as a web framework's answer, and by pickle."""

import copy
import json
import pickle
import subprocess
import sys

import cattrs
import msgspec
import pydantic
import pytest
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder

from vimmerse_async import (
    APIResponseError,
    APITimeoutError,
    Asset,
    InvalidURLError,
    PromptRequest,
    PromptResult,
    RateLimitError,
    UnprocessableEntityError,
    VimmerseError,
)

ERRORS = [
    RateLimitError("no", status=429, retry_after=2.0, body="long " * 100),
    UnprocessableEntityError("no", status=422, details=[{"loc": ["a"]}]),
    APIResponseError("no", kind="html", body="<p>"),
    APITimeoutError("no", sent="no"),
    InvalidURLError("no", field="image_url", index=3),
]
RECORDS = [
    PromptResult(0, "https://a.example/1", "a prompt", attempts=1, elapsed=0.25),
    PromptResult(
        1, PromptRequest("RefinePrompt", prompt="p", tag=[1, {"a": None}]), "ü", cached=True
    ),
    Asset("id", ("https://a.example/1",), "success", extra={"new": [1, {"a": None}]}),
    Asset(None, created_at="2025-05-06"),
    *(PromptResult(at, "x", error=error, possibly_charged=1) for at, error in enumerate(ERRORS)),
]
each_record = pytest.mark.parametrize("record", RECORDS, ids=str)


def same(one, other):
    """Return whether two are equal, errors by what they are and what they tell."""
    if isinstance(one, PromptResult) and one.error is not None:
        assert type(one.error) is type(other.error)
        assert str(one.error) == str(other.error)
        assert repr(other.error)
        assert one.error.to_dict() == other.error.to_dict()
        assert vars(one.error).keys() <= vars(other.error).keys()
    return one.to_dict() == other.to_dict() and type(one) is type(other)


@each_record
def test_there_and_back_as_json(record):
    """What became JSON comes back the same, but for a server's words at length."""
    told = json.dumps(record.to_dict(), allow_nan=False)
    assert same(record, type(record).from_dict(json.loads(told)))
    assert "long long" not in told


@each_record
def test_pydantic_and_with_it_fastapi(record):
    """A record is a field and a response model as it is, with a schema that its JSON fits."""
    adapter = pydantic.TypeAdapter(type(record))
    told = adapter.dump_json(record)
    assert json.loads(told) == record.to_dict() == adapter.dump_python(record, mode="json")
    assert same(record, adapter.validate_json(told))
    assert adapter.validate_python(record) is record
    schema = adapter.json_schema(mode="serialization")
    assert schema["properties"].keys() == record.to_dict().keys() >= set(schema["required"])
    with pytest.raises(pydantic.ValidationError):
        adapter.validate_python(3)


@each_record
def test_msgspec_and_cattrs(record):
    """Both know attrs' classes; of errors they are told in a line each."""
    sent = msgspec.json.encode(record, enc_hook=VimmerseError.to_dict)
    back = msgspec.json.decode(
        sent, type=type(record), dec_hook=lambda kind, of: kind.from_dict(of)
    )
    converter = cattrs.Converter()
    converter.register_unstructure_hook(VimmerseError, VimmerseError.to_dict)
    converter.register_structure_hook(VimmerseError, lambda of, _: VimmerseError.from_dict(of))
    plain = converter.unstructure(record)
    json.dumps(plain)
    for twin in (back, converter.structure(plain, type(record))):
        if isinstance(getattr(record, "request", None), PromptRequest):
            continue  # of a field that may be anything, they make what it looks like
        assert same(record, twin)


@each_record
def test_within_anything_that_fastapi_answers(record):
    """No type has to be told: within a dict, and for `json.dumps`, `vars` is what `to_dict` is."""
    assert vars(record) == record.to_dict()
    assert jsonable_encoder({"found": [record]}) == {"found": [record.to_dict()]}
    assert json.loads(json.dumps(record, default=vars)) == json.loads(json.dumps(record.to_dict()))
    assert copy.copy(record) == record
    assert copy.deepcopy(record).to_dict() == record.to_dict()


def test_fastapi_describes_them():
    """The records stand in an application's OpenAPI by their names and fields."""
    app = FastAPI()

    @app.get("/rows")
    async def rows() -> list[PromptResult]:
        return []

    @app.get("/asset")
    async def asset() -> dict[str, Asset]:
        return {}

    described = json.dumps(app.openapi())
    assert "possibly_charged" in described
    assert "mime_type" in described


def test_another_process_reads_them():
    """What is pickled here is the same in a process that has imported nothing yet."""
    program = "import pickle, sys; print([r.to_dict() for r in pickle.load(sys.stdin.buffer)])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(RECORDS),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == str([record.to_dict() for record in RECORDS])


def test_an_error_of_a_class_that_is_not_known_here():
    """JSON of a later version still becomes an error."""
    error = VimmerseError.from_dict({"type": "NewError", "message": "no", "fact": 1})
    assert (type(error), str(error), error.fact) == (VimmerseError, "no", 1)


def test_what_is_no_json_stays_behind():
    """A tag may be anything: one that JSON cannot hold is left out, and nothing fails."""
    row = PromptResult(0, PromptRequest(prompt="p", tag={1, 2}), "a")
    assert row.to_dict()["request"] == {"prompt": "p"}
    assert isinstance(json.dumps(row.to_dict()), str)

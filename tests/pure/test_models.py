"""The records: frozen, comparable, and nothing more than what they are given."""

import pickle

import attrs
import pytest

from vimmerse_async import (
    APIResponseError,
    Asset,
    PromptMode,
    PromptOption,
    PromptRequest,
    PromptResult,
    RateLimitError,
    RetryPolicy,
    SessionStatistics,
    Timeouts,
)
from vimmerse_async.control.limit import LimitSnapshot

RECORDS = [
    PromptRequest("InspireMe", "p", "https://a.example/1", tag=object, key="k"),
    PromptResult(0, "x", "a prompt"),
    Asset("id", ("https://a.example/1",), extra={"new": 1}),
    SessionStatistics(1, 1, 0, 1, 0, 0, 0, 0, 0.0, LimitSnapshot(16, 9.0, 0)),
    Timeouts(attempt=3),
    RetryPolicy(),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_are_values(record):
    """They cannot be changed, have no dict, pickle, and equal their copies."""
    name = attrs.fields(type(record))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(record, name, None)
    assert type(record).__dictoffset__ == 0
    assert pickle.loads(pickle.dumps(record)) == record == attrs.evolve(record)
    assert type(record).__name__ in repr(record)


def test_the_api_s_own_words():
    """Options and modes are the strings of the wire, and plain strings where one is wanted."""
    assert [*PromptOption] == ["InspireMe", "Image2Prompt", "SuggestPrompt", "RefinePrompt"]
    assert [*PromptMode] == ["scene", "video", "image", "audio"]
    assert f"{PromptOption.REFINE_PROMPT}{PromptMode.SCENE}" == "RefinePromptscene"


def test_a_tag_is_nobody_s_business():
    """Requests that differ by their tag ask the same; any object is a tag."""
    one, two = PromptRequest(prompt="p", tag=[1]), PromptRequest(prompt="p", tag={})
    assert one == two
    assert hash(one) == hash(two)
    assert PromptResult(0, one).tag == [1]
    assert PromptResult(0, "a string").tag is None


def test_a_result_is_ok_without_an_error():
    """The error decides, not the prompt."""
    assert PromptResult(0, "x", "fine").ok
    assert not PromptResult(0, "x", error=RateLimitError("no", status=429)).ok


def test_an_asset_s_address():
    """It is the first of the results, and always a str; without one, an error says so."""
    assert Asset("a", ("https://a.example/1", "https://a.example/2")).url == "https://a.example/1"
    with pytest.raises(APIResponseError, match=r"asset a has no URL \(status processing\)"):
        _ = Asset("a", status="processing").url
    assert hash(Asset("a", extra={"unhashable": []})) == hash(Asset("a"))

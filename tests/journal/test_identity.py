"""When two questions are one: whatever carries them, and never by accident."""

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async import InvalidRequestError, PromptRequest
from vimmerse_async.batch.calls import row_reader, template_of
from vimmerse_async.batch.identity import (
    cheapest,
    described,
    digest_of,
    is_repeatable,
    question_of,
)
from vimmerse_async.models import URL_FIELDS
from vimmerse_async.wire import image_call, prompt_call, refine_call

URL = "https://a.example/1.jpg"
OTHER = "https://a.example/2.jpg"


def test_the_route_makes_no_difference():
    """A picture or text is the same question by its own route and by the general one."""
    picture = PromptRequest("Image2Prompt", image_url=URL)
    assert digest_of(URL, image_call(URL)) == question_of(picture)
    text = PromptRequest("RefinePrompt", "a fox")
    assert digest_of("a fox", refine_call("a fox")) == question_of(text)
    read = row_reader(template_of("Image2Prompt", None, "scene"))
    wanted = question_of(PromptRequest("Image2Prompt", image_url=URL, mode="scene"))
    assert digest_of(URL, read(URL)) == wanted


def test_whatever_is_asked_differently_is_another_question():
    """Option, mode, seed, each field, key and occurrence count; the tag does not."""
    fields = [
        {"option": option, "prompt": prompt, "image_url": image, "video_url": video,
         "mode": mode, "key": key}
        for option, prompt, image, video, mode, key in itertools.product(
            [None, "InspireMe", "Image2Prompt", "RefinePrompt", "SuggestPrompt"],
            [None, "a fox"], [None, URL], [None, OTHER], [None, "scene"], [None, "k"],
        )
    ]  # fmt: skip
    requests = [PromptRequest(**each) for each in fields]
    plain = [each for each in requests if each.key is None]
    assert len({question_of(each) for each in plain}) == len(plain)
    assert question_of(PromptRequest("RefinePrompt", "a", tag=1)) == question_of(
        PromptRequest("RefinePrompt", "a", tag=2)
    )
    assert len({question_of(requests[0], number) for number in range(9)}) == 9


def test_a_key_replaces_the_input():
    """Rows of one key are one question, while option, mode and seed still count."""
    signed = PromptRequest("Image2Prompt", image_url=URL + "?signature=1", key="17")
    again = PromptRequest("Image2Prompt", image_url=URL + "?signature=2", key="17")
    assert question_of(signed) == question_of(again)
    for other in (
        PromptRequest("Image2Prompt", image_url=URL, key="18"),
        PromptRequest("Image2Prompt", image_url=URL, key="17", mode="video"),
        PromptRequest("Image2Prompt", "a seed", image_url=URL, key="17"),
        PromptRequest("InspireMe", image_url=URL, key="17"),
    ):
        assert question_of(other) != question_of(signed)
    text = PromptRequest("RefinePrompt", "one", key="17")
    assert question_of(text) == question_of(PromptRequest("RefinePrompt", "two", key="17"))


KNOWN = {
    "0489bc24c2674b48423c47dcb0226130": {"option": "Image2Prompt", "image_url": URL, "key": "17"},
    "3d60784ec3744dd8e6a0ae2e092d2799": {
        "option": "Image2Prompt", "image_url": URL, "mode": "scene", "key": "17"},
    "1647f41beb87ce2193a7b1dd6c9115a6": {
        "option": "Image2Prompt", "prompt": "a seed", "image_url": URL, "key": "17"},
    "416e172d4f984e19558e3780f0912b25": {"image_url": URL, "key": "17"},
    "fd6b1aee6c1c765d658d3f5b362e009d": {"option": "InspireMe", "image_url": URL, "key": "17"},
    "4e7edf6fdeb2af20efd71a9537f39a0f": {
        "option": "RefinePrompt", "prompt": "a fox", "key": "17"},
    "1cbfd3ae4cf96e321f90038e7d6574b3": {
        "option": "RefinePrompt", "prompt": "a fox", "image_url": URL, "key": "17"},
    "7578f87ad26441630c91d21748900ea4": {"option": "SuggestPrompt", "key": "17"},
    "08fc404a2cd04d4c14692b95684f75a7": {"option": "Image2Prompt", "image_url": URL},
    "3f8ea89f09c0c57df797130a211196db": {"option": "Image2Prompt", "video_url": URL},
    "10e8b7d58e93475e68bea672b4956aa3": {
        "option": "Image2Prompt", "image_url": URL, "image2_url": OTHER, "mode": "video"},
    "b52421ae5fe24cad19a54fedd8de2659": {"option": "RefinePrompt", "prompt": "a fox"},
}  # fmt: skip


@pytest.mark.parametrize("digest", KNOWN)
def test_what_was_paid_for_stays_found(digest):
    """Journals hold these identities of these questions: another one would be paid for again."""
    assert question_of(PromptRequest(**KNOWN[digest])).hex() == digest


@attrs.frozen
class Later(PromptRequest):
    """A question of a later version, with a field that nobody knows today."""

    seed: int | None = attrs.field(default=None, kw_only=True)


COUNTED = {
    "option": [None, "InspireMe", "Image2Prompt", "SuggestPrompt"],
    "mode": [None, "scene", "video"],
    "key": ["17", "18"],
    "seed": [None, 0, 1],
}
"""Fields that no key replaces, and what they may hold."""


@pytest.mark.parametrize("base", [{"image_url": URL}, {"video_url": URL}, {"prompt": "a fox"}])
@pytest.mark.parametrize("field", [each.name for each in attrs.fields(Later) if each.eq])
def test_a_key_replaces_its_input_and_nothing_else(base, field):
    """With a key, every field counts but the URLs or the text that the key stands for."""
    values = COUNTED.get(field, [None, URL, OTHER])
    found = [
        question_of(Later(**{"option": "InspireMe", "key": "17", **base, field: value}))
        for value in values
    ]
    is_seed = field == "prompt" and field not in base
    if field in COUNTED or is_seed:
        assert len(set(found)) == len(values)
    else:
        assert found[1] == found[2]  # the key stands for what is there
        assert found[0] != found[1]  # but not for whether it is there


def test_no_two_shapes_of_a_keyed_question_are_one():
    """One picture, two, a video, a text and nothing at all are as many questions of one key."""
    shapes = [
        dict.fromkeys(names, URL)
        for count in range(len(URL_FIELDS) + 1)
        for names in itertools.combinations(URL_FIELDS, count)
    ]
    requests = [
        PromptRequest(option, prompt, key="17", **shape)
        for option in (None, "InspireMe", "Image2Prompt", "SuggestPrompt", "RefinePrompt")
        for prompt in (None, "a fox")
        for shape in shapes
    ]
    assert len({question_of(each) for each in requests}) == len(requests) == 80
    identify = cheapest(template_of("Image2Prompt", None, None))
    sent = [each for each in requests if can_be_sent(each)]
    assert len({identify(each, prompt_call(each)) for each in sent}) == len(sent) > 60


def can_be_sent(request):
    try:
        prompt_call(request)
    except InvalidRequestError:
        return False
    return True


def test_questions_without_an_input_are_repeatable():
    """A suggestion is asked for anew each time, unless the row has a key."""
    assert is_repeatable(PromptRequest("SuggestPrompt"))
    assert is_repeatable(PromptRequest())
    assert is_repeatable(PromptRequest("InspireMe", mode="scene"))
    assert not is_repeatable(PromptRequest("SuggestPrompt", key="one"))
    assert not is_repeatable(PromptRequest("InspireMe", "a fox"))
    assert not is_repeatable(PromptRequest("InspireMe", image_url=URL))
    assert not is_repeatable(URL)


def test_the_description_is_json_with_the_key():
    """What is kept of a question can be read again."""
    read = row_reader(template_of("Image2Prompt", None, None))
    request = PromptRequest("SuggestPrompt", key="k\ud800")
    call = read(request)
    assert described(request, call) == '{"option":"SuggestPrompt","key":"k\\ud800"}'
    request = PromptRequest(key="k")
    assert described(request, read(request)) == '{"key":"k"}'


@given(st.builds(PromptRequest, st.none() | st.text(), st.text(), key=st.none() | st.text()))
def test_every_row_has_an_identity(request):
    """A row that cannot be sent is kept too."""
    assert len(question_of(request)) == 16

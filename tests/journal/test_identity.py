"""When two questions are one: whatever carries them, and never by accident."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async import PromptRequest
from vimmerse_async.batch.calls import row_reader, template_of
from vimmerse_async.batch.identity import described, digest_of, is_repeatable, question_of
from vimmerse_async.wire import image_call, refine_call

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

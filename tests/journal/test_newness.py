"""Questions are told apart at little cost, and as surely as at more."""

from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.batch.identity import plain_digest, question_of
from vimmerse_async.journal.newness import Newness
from vimmerse_async.models import PromptRequest

questions = st.lists(st.binary(min_size=16, max_size=16), max_size=50)


@given(questions, questions)
def test_what_was_put_in_is_never_new(put: list[bytes], others: list[bytes]) -> None:
    """The filter errs on one side only, and seldom."""
    newness = Newness()
    for question in put:
        newness.add(question)
    assert not any(map(newness.is_new, put))
    unknown = set(others) - set(put)
    assert sum(map(newness.is_new, unknown)) >= len(unknown) - 2


@given(
    st.sampled_from(["https://a.example/1.png", "https://a.example/é", "http://a.example/", "x"])
    | st.from_regex(r"https://[a-z]{1,9}\.example/[!-~]{0,40}", fullmatch=True),
    st.none() | st.sampled_from(["a fox", 'a "fox" "image_url":"https://the.marker.example/"']),
    st.sampled_from([None, "scene"]),
    st.sampled_from(["Image2Prompt", "InspireMe", "RefinePrompt"]),
)
def test_the_short_way_gives_the_same_identity(
    url: str, prompt: str | None, mode: str | None, option: str
) -> None:
    """A question's identity does not depend on how it was computed."""
    if option == "RefinePrompt" and prompt is None:
        return
    short = plain_digest(PromptRequest(option, prompt, mode=mode))(url)
    assert short in {None, question_of(PromptRequest(option, prompt, url, mode=mode))}
    if url == "https://a.example/1.png" and "marker" not in (prompt or ""):
        assert short is not None

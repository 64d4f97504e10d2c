"""The error tree: drawn as it is, plain data that survives a pickle, and sentences for people."""

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vimmerse_async
from vimmerse_async import errors
from vimmerse_async.errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    BatchError,
    BatchStoppedError,
    InternalServerError,
    InvalidRequestError,
    JournalError,
    RateLimitError,
    VimmerseError,
    status_error_class,
)
from vimmerse_async.models import PromptResult

CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, VimmerseError)
]
TEXTS = st.text(max_size=20)
WORDS = {
    "waiting": st.integers(0, 9),
    "message": TEXTS,
    "kind": st.sampled_from(["lost", "write", "timeout"]),
    "sent": st.sampled_from(["no", "maybe"]),
    "status": st.integers(100, 599),
    "body": TEXTS,
    "reason": st.sampled_from(["auth", "credits", "throttled"]),
    "field": st.none() | TEXTS,
    "index": st.none() | st.integers(0, 10**9),
    "retry_after": st.none() | st.floats(0, 1e9),
    "details": st.lists(st.dictionaries(TEXTS, TEXTS | st.integers()), max_size=3),
    "resume_hint": TEXTS,
    "resume_after": st.none() | st.floats(0, 1e9),
    "not_attempted": st.integers(0, 10**9),
    "results": st.none()
    | st.lists(
        st.builds(
            PromptResult,
            index=st.integers(0, 10**6),
            request=TEXTS,
            error=st.none() | st.builds(RateLimitError, TEXTS, status=st.just(429)),
        ),
        max_size=5,
    ),
}
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "operation": TEXTS,
        "attempts": st.integers(0, 99),
        "elapsed": st.floats(0, 1e6),
        "possibly_charged": st.integers(0, 99),
        "request_id": TEXTS,
    },
)


@st.composite
def any_error(draw):
    cls = draw(st.sampled_from(CLASSES))
    names = list(inspect.signature(cls).parameters)
    error = cls(**{name: draw(WORDS[name]) for name in names})
    if isinstance(error, APIError):
        vars(error).update(draw(FACTS))
    if draw(st.booleans()):
        error.add_note(draw(TEXTS))
    return error


@given(any_error(), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_F5_every_error_survives_a_pickle(error, protocol):
    """A copy has the same class, words, arguments and facts, by any way of copying."""
    twins = [
        pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error),
    ]  # fmt: skip
    for twin in twins:
        assert type(twin) is type(error)
        assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
        assert repr(vars(twin)) == repr(vars(error))


@given(any_error())
def test_every_error_can_be_shown_and_raised(error):
    """Its text is a str, and it is caught as what it is."""
    assert isinstance(str(error), str)
    with pytest.raises(type(error)) as raised:
        raise error
    assert raised.value is error


def test_the_tree_is_drawn_as_it_is():
    """The picture in the module's docstring names each class once, in its place."""
    drawn = re.findall(r"[A-Z]\w+Error\b(?! *\))", errors.__doc__.split("```")[1])
    assert sorted(drawn) == sorted(cls.__name__ for cls in CLASSES)


def test_every_error_is_public():
    """What can be raised can be imported from the package, and its name ends in Error."""
    for cls in CLASSES:
        assert getattr(vimmerse_async, cls.__name__) is cls
        assert cls.__name__ in vimmerse_async.__all__
        assert cls.__name__.endswith("Error")


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        ("InvalidRequestError", ValueError),
        ("InvalidURLError", ValueError),
        ("ConfigurationError", ValueError),
        ("SessionError", RuntimeError),
        ("APITimeoutError", TimeoutError),
    ],
)
def test_builtin_parents(cls, builtin):
    """Code that knows only Python's own errors catches them, too."""
    assert issubclass(getattr(errors, cls), builtin)


@pytest.mark.parametrize("status", range(400, 600))
def test_the_class_of_a_status(status):
    """Each documented status has its class, other 4xx and 5xx the general ones."""
    named = {400: "BadRequest", 401: "Authentication", 402: "InsufficientCredits",
             403: "PermissionDenied", 404: "NotFound", 422: "UnprocessableEntity",
             429: "RateLimit"}  # fmt: skip
    other = "InternalServer" if status >= 500 else "APIStatus"
    assert status_error_class(status).__name__ == named.get(status, other) + "Error"


def test_a_row_s_error_names_the_row():
    """An invalid row says where it stands."""
    error = InvalidRequestError("prompt is empty", field="prompt")
    assert str(error) == "prompt is empty"
    assert error.at(7) is error
    assert str(error) == "row 7: prompt is empty"


def test_an_api_error_tells_its_facts():
    """What was tried and what it may have cost is in the text, as far as there is something."""
    error = APIConnectionError("lost", kind="lost", sent="maybe")
    assert str(error) == "lost"
    error.operation, error.attempts, error.elapsed = "refine_prompt", 3, 1.26
    error.possibly_charged, error.request_id = 2, "abc"
    assert str(error) == (
        "lost (refine_prompt, 3 attempts in 1.3 s, 2 possibly charged, request abc)"
    )


def test_a_batch_error_counts_and_shows_three():
    """However many rows failed, the text has a line for the counts and three examples."""
    rows = [
        PromptResult(at, "x", error=InternalServerError(f"down\nat {at}" * 99, status=500))
        for at in range(1000)
    ]
    rows.append(PromptResult(1000, "x", prompt="fine"))
    error = BatchError(results=rows)
    assert error.counts == {"InternalServerError": 1000}
    assert len(error.failures) == 1000
    lines = str(error).split("\n")
    assert lines[0] == "1000 of 1001 rows failed: 1000 InternalServerError"
    assert [line.split(":")[0] for line in lines[1:]] == ["  row 0", "  row 1", "  row 2"]
    assert len(str(error)) < 1000


def test_a_stopped_batch_says_how_to_go_on():
    """The hint is the last line."""
    error = BatchStoppedError("no credits left", reason="credits", resume_hint="buy some")
    assert str(error).split("\n")[-1].strip() == "buy some"
    assert (error.results, error.failures, error.not_attempted) == (None, [], 0)


def test_details_cannot_be_changed():
    """A status error keeps its own sequence."""
    details = [{"msg": "bad"}]
    error = APIStatusError("no", status=422, details=details)
    details.clear()
    assert error.details == ({"msg": "bad"},)


def test_defaults_say_what_is_not_known():
    """An error that nobody told anything claims nothing."""
    error = APITimeoutError("late")
    assert (error.kind, error.sent, error.attempts, error.request_id) == (
        "timeout",
        "maybe",
        0,
        None,
    )
    assert (APIResponseError("odd", kind="type").status, JournalError("x", kind="write").kind) == (
        None,
        "write",
    )

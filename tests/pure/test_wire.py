"""What goes out: arguments are checked before a slot is taken, and written as they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async.errors import InvalidRequestError, InvalidURLError
from vimmerse_async.models import PromptMode, PromptOption, PromptRequest
from vimmerse_async.wire import (
    MAX_PROMPT,
    SUGGEST_CALL,
    custom_call,
    image_call,
    json_body,
    legacy_fields,
    mode_of,
    option_of,
    prompt_call,
    refine_call,
)

URL = "https://a.example/1.png"
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PROMPTS = st.text(CHARACTERS, min_size=1).filter(lambda text: not text.isspace())


@given(PROMPTS)
def test_a_prompt_is_sent_as_it_is(prompt):
    """Every prompt that is accepted is in the body, letter by letter, by either route."""
    assert json.loads(refine_call(prompt).body) == {"prompt": prompt}
    assert json.loads(prompt_call(PromptRequest(prompt=prompt)).body) == {"prompt": prompt}


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Zs"])))
def test_any_text_is_sent_or_refused(prompt):
    """There is no third way, and the two routes agree."""
    bodies = [body_of(refine_call, prompt), body_of(prompt_call, PromptRequest(prompt=prompt))]
    assert bodies[0] == bodies[1]
    assert bodies[0] is None or json.loads(bodies[0]) == {"prompt": prompt}


def body_of(make, argument):
    try:
        return make(argument).body
    except InvalidRequestError as error:
        assert error.field == "prompt"  # noqa: PT017 - it is not wanted, but allowed
        assert len(str(error)) < 300  # noqa: PT017
        return None


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "empty"), (" \n\t\u3000", "empty"), ("a\0b", "NUL"), ("\ud800", "surrogate"),
        ("a\udfffb", "surrogate"), ("x" * (MAX_PROMPT + 1), "1,000,001"), (None, "NoneType"),
        (b"bytes", "bytes"), (7, "int"), (["a"], "list"), (float("nan"), "float"),
    ],
)  # fmt: skip
def test_C16_C17_prompts_that_cannot_be_sent(prompt, words):
    """What is no text, or none worth a credit, is refused, and the error says why."""
    with pytest.raises(InvalidRequestError, match=words) as raised:
        refine_call(prompt)
    assert raised.value.field == "prompt"
    assert len(str(raised.value)) < 300


def test_C17_the_longest_prompt():
    """A million characters are sent, also where each takes four bytes."""
    assert len(refine_call("🙂" * MAX_PROMPT).body) == 4 * MAX_PROMPT + len('{"prompt":""}')


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "option": st.sampled_from([*PromptOption, *map(str, PromptOption)]),
        "prompt": PROMPTS,
        "image_url": st.just(URL),
        "image2_url": st.just(URL + "2"),
        "video_url": st.just(URL + "3"),
        "mode": st.sampled_from([*PromptMode, *map(str, PromptMode)]),
        "key": st.text(),
        "tag": st.integers(),
    },
)


@given(FIELDS)
def test_only_given_fields_are_sent(fields):
    """The body holds what was given, and nothing else; keys and tags stay here."""
    wanted = {name: value for name, value in fields.items() if name not in {"key", "tag"}}
    media = {"image_url", "image2_url", "video_url"} & fields.keys()
    option = fields.get("option")
    lacking = (option == "RefinePrompt" and "prompt" not in fields) or (
        option == "Image2Prompt" and not media
    )
    if lacking:
        with pytest.raises(InvalidRequestError):
            prompt_call(PromptRequest(**fields))
        return
    call = prompt_call(PromptRequest(**fields))
    assert json.loads(call.body) == wanted
    assert call.operation.latency == ("vision" if media else "text")
    assert call.operation.path == "/v2/text/prompt"


@pytest.mark.parametrize("name", ["option", "mode"])
@pytest.mark.parametrize(
    "value", ["Unknown", "inspireme", "SCENE", "", " ", 7, True, [], {}, b"scene"]
)
def test_C19_unknown_words(name, value):
    """An option or mode that the API does not have is refused; the error lists those it has."""
    with pytest.raises(InvalidRequestError) as raised:
        prompt_call(PromptRequest(prompt="p", **{name: value}))
    assert raised.value.field == name
    for word in PromptOption if name == "option" else PromptMode:
        assert word in str(raised.value)
    with pytest.raises(InvalidRequestError):
        {"option": option_of, "mode": mode_of}[name](value)


@pytest.mark.parametrize("word", [*PromptOption, *map(str, PromptOption), None])
def test_C19_known_options(word):
    """An option is taken as its enum or its plain word."""
    assert option_of(word) == word
    assert word is None or isinstance(option_of(word), PromptOption)


@pytest.mark.parametrize("word", [*PromptMode, *map(str, PromptMode), None])
def test_C19_known_modes(word):
    """A mode is taken as its enum or its plain word."""
    assert mode_of(word) == word
    assert word is None or isinstance(mode_of(word), PromptMode)


@pytest.mark.parametrize("name", ["image_url", "image2_url", "video_url"])
def test_a_bad_url_is_named_by_its_field(name):
    """The error says which of the three addresses it means."""
    with pytest.raises(InvalidURLError) as raised:
        prompt_call(PromptRequest("Image2Prompt", **{name: "http://a.example"}))
    assert raised.value.field == name


@pytest.mark.parametrize("files", [{"image_file"}, {"image2_file"}, {"video_file"}])
def test_a_file_is_a_medium(files):
    """By the legacy route a file stands for an address."""
    request = PromptRequest("Image2Prompt", mode="scene")
    assert dict(legacy_fields(request, files)) == {"option": "Image2Prompt", "mode": "scene"}
    with pytest.raises(InvalidRequestError):
        legacy_fields(request, ())


def test_nothing_is_needed_to_suggest():
    """A suggestion has no body."""
    assert (SUGGEST_CALL.body, SUGGEST_CALL.form) == (None, None)


def test_calls_do_not_show_their_bodies():
    """Prompts and addresses are not in a call's repr."""
    assert "private" not in repr(refine_call("private")) + repr(image_call(URL + "?private"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(CHARACTERS), inner),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_custom_json_is_sent_as_it_is(value):
    """Any JSON value is a body; None is none."""
    call = custom_call("POST", "/other", value, None)
    assert call.body is None if value is None else json.loads(call.body) == value


@pytest.mark.parametrize(
    "value",
    [float("nan"), [float("inf")], {"a": object()}, {1, 2}, b"bytes", "\ud800", {("a",): 1}],
)
def test_C17_values_that_are_no_json(value):
    """NaN, bytes, sets and lone surrogates are refused, with the argument's name."""
    with pytest.raises(InvalidRequestError) as raised:
        json_body("json", value)
    assert raised.value.field == "json"


def test_a_value_that_holds_itself():
    """A cycle, or nesting without end, is refused, too."""
    cycle = []
    cycle.append(cycle)
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value in (cycle, deep):
        with pytest.raises(InvalidRequestError):
            custom_call("POST", "/other", value, None)


@pytest.mark.parametrize("method", ["GET", "get", "Head", "POST", "PUT", "PATCH", "DELETE"])
def test_methods(method):
    """GET and HEAD are repeated freely, others never when they may have been charged."""
    operation = custom_call(method, "/a", None, None).operation
    assert operation.method == method.upper()
    assert operation.safe is operation.resend is (method.upper() in {"GET", "HEAD"})


@pytest.mark.parametrize(
    "method", ["", "CONNECT", "TRACE", "GET ", "G\r\nET", "gét", None, 7, b"GET"]
)
def test_methods_that_are_refused(method):
    """No other method, and nothing that would break the request line."""
    with pytest.raises(InvalidRequestError) as raised:
        custom_call(method, "/a", None, None)
    assert raised.value.field == "method"


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/b?c=d&e=%20", "/v2/text/prompt?x=[1]", "/a;b,c:@!$'()*+~"]
)
def test_paths(path):
    """A path may have a query, percent-encoded where necessary."""
    assert custom_call("GET", path, None, None).operation.path == path


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "//evil.example/a", "https://evil.example/", "/a b", "/a\r\nX: y", "/a\tb", "/a\0",
        "/é", "/a#b", "/a\\b", "/" + "a" * 5000, '/a"b', "/a<b>", None, 7, b"/a",
    ],
)  # fmt: skip
def test_paths_that_are_refused(path):
    """What leads elsewhere, splits the request, or would be cut on its way is refused."""
    with pytest.raises(InvalidRequestError) as raised:
        custom_call("GET", path, None, None)
    assert raised.value.field == "path"
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "form",
    [[("a", "b")], "a=b", {"a": 1}, {"a": None}, {1: "a"}, {"a": "\ud800"}, {"\ud800": "a"},
     {"a\r\nX-Evil: 1": "b"}, {"": "a"}, {'a"b': "c"}, 7],
)  # fmt: skip
def test_forms_that_are_refused(form):
    """A form maps plain names to texts."""
    with pytest.raises(InvalidRequestError) as raised:
        custom_call("POST", "/a", None, form)
    assert raised.value.field == "form"


def test_a_form():
    """Its fields keep their order; an empty one is one."""
    assert custom_call("POST", "/a", None, {"b": "1", "a": ""}).form.texts == (
        ("b", "1"),
        ("a", ""),
    )
    with pytest.raises(InvalidRequestError, match="exclude"):
        custom_call("POST", "/a", {}, {})

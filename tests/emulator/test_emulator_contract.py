"""The server answers as the contract says: routes, fields, statuses and bodies."""

import io
from typing import Any

import pytest

TEXT_ROUTES = [
    "/v2/text/prompt",
    "/v2/text/suggest-prompt",
    "/v2/text/refine-prompt",
    "/v2/text/image-2-prompt",
]
URL = "https://cdn.example/shoe.png"

ACCEPTED: list[tuple[str, Any]] = [
    ("/v2/text/prompt", None),
    ("/v2/text/prompt", {}),
    ("/v2/text/prompt", {"prompt": "a cat", "image_url": None}),
    ("/v2/text/prompt", {"image_url": URL, "image2_url": URL, "video_url": URL, "mode": "scene"}),
    ("/v2/text/prompt", {"option": "RefinePrompt", "prompt": "a cat", "image_url": URL}),
    ("/v2/text/prompt", {"option": "SuggestPrompt", "mode": "audio"}),
    ("/v2/text/prompt", {"option": "Image2Prompt", "video_url": URL, "unknown": 7}),
    ("/v2/text/suggest-prompt", None),
    ("/v2/text/refine-prompt", {"prompt": "Nike shoes"}),
    ("/v2/text/image-2-prompt", {"image_url": URL}),
]
UNPROCESSABLE: list[tuple[str, Any, list[str]]] = [
    ("/v2/text/refine-prompt", {}, ["body", "prompt"]),
    ("/v2/text/refine-prompt", {"prompt": None}, ["body", "prompt"]),
    ("/v2/text/refine-prompt", {"prompt": ["a cat"]}, ["body", "prompt"]),
    ("/v2/text/image-2-prompt", {}, ["body", "image_url"]),
    ("/v2/text/image-2-prompt", {"image_url": 7}, ["body", "image_url"]),
    ("/v2/text/prompt", {"option": "refine"}, ["body", "option"]),
    ("/v2/text/prompt", {"mode": "opera"}, ["body", "mode"]),
    ("/v2/text/prompt", {"prompt": "\ud800"}, ["body", "prompt"]),
    ("/v2/text/prompt", [], ["body"]),
    ("/v2/text/prompt", "a cat", ["body"]),
]
BAD: list[tuple[str, Any, str]] = [
    ("/v2/text/prompt", {"image_url": "http://cdn.example/a.png"}, "image_url"),
    ("/v2/text/prompt", {"image2_url": "ftp://cdn.example/a.png"}, "image2_url"),
    ("/v2/text/prompt", {"video_url": "https://"}, "video_url"),
    ("/v2/text/prompt", {"image_url": "https://user@cdn.example/a.png"}, "image_url"),
    ("/v2/text/prompt", {"image_url": "https://cdn.example/a b.png"}, "image_url"),
    ("/v2/text/prompt", {"image_url": "https://cdn.example/" + "a" * 8192}, "image_url"),
    ("/v2/text/prompt", {"option": "RefinePrompt"}, "prompt"),
    ("/v2/text/prompt", {"option": "Image2Prompt"}, "image_url"),
    ("/v2/text/refine-prompt", {"prompt": " \n"}, "prompt"),
]
REFUSED_KEYS: list[list[tuple[str, str]]] = [
    [],
    [("X-Api-Key", "")],
    [("X-Api-Key", "sk-live-secret")],
    [("X-Api-Key", "test-")],
    [("X-Api-Key", "xtest-key")],
    [("X-Api-Key", "test-one"), ("X-Api-Key", "test-two")],
    [("X-Api-Key", "test-" + "k" * 300)],
    [("Authorization", "Bearer test-key")],
]


@pytest.mark.parametrize(("path", "fields"), ACCEPTED)
async def test_a_right_request_is_answered_with_a_bare_json_string(call, path, fields):
    """Every request that the contract allows gets one sentence, without a wrapper."""
    caller = await call(unknown_media="placeholder")
    answer = await caller.post(path, fields)
    assert answer.status == 200
    assert isinstance(answer.value, str)
    assert answer.value.strip()


@pytest.mark.parametrize(("path", "fields", "location"), UNPROCESSABLE)
async def test_a_wrong_shape_is_a_422_that_locates_the_field(call, path, fields, location):
    """A field of the wrong type, or a missing one, is named in the detail."""
    caller = await call()
    answer = await caller.post(path, fields)
    assert answer.status == 422
    assert [entry["loc"] for entry in answer.value["detail"]] == [location]
    assert all(set(entry) == {"loc", "msg", "type"} for entry in answer.value["detail"])


@pytest.mark.parametrize(("path", "fields", "name"), BAD)
async def test_a_senseless_field_is_a_400_that_names_it(call, path, fields, name):
    """A field of the right type that cannot do its work is named in the message."""
    caller = await call(unknown_media="placeholder")
    answer = await caller.post(path, fields)
    assert answer.status == 400
    assert list(answer.value) == ["message"]
    assert name in answer.value["message"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"prompt": "a cat"}x'])
async def test_a_body_that_is_no_json_is_a_422(call, body):
    """No bytes take the server down; what is no JSON is refused as such."""
    caller = await call()
    headers = {"X-Api-Key": caller.emulator.key, "Content-Type": "application/json"}
    answer = await caller.ask("POST", "/v2/text/refine-prompt", data=body, headers=headers)
    assert (answer.status, answer.value["detail"][0]["type"]) == (422, "json_invalid")


async def test_a_body_of_another_content_type_is_a_422(call):
    """The text routes take JSON and nothing else."""
    caller = await call()
    answer = await caller.ask("POST", "/v2/text/refine-prompt", data={"prompt": "a cat"})
    assert (answer.status, answer.value["detail"][0]["loc"]) == (422, ["header", "content-type"])


async def test_a_body_above_a_megabyte_is_a_413(call):
    """The server does not take in what nobody would send."""
    caller = await call()
    headers = {"X-Api-Key": caller.emulator.key, "Content-Type": "application/json"}
    body = io.BytesIO(b'"' + b"a" * (1 << 20) + b'"')
    answer = await caller.ask("POST", "/v2/text/refine-prompt", data=body, headers=headers)
    assert answer.status == 413
    assert "message" in answer.value


@pytest.mark.parametrize("path", TEXT_ROUTES)
@pytest.mark.parametrize("headers", REFUSED_KEYS)
async def test_G10_every_key_but_one_test_or_demo_key_is_a_401(call, path, headers):
    """A real key can never be accepted by mistake."""
    caller = await call()
    answer = await caller.post(path + "?api_key=test-key", headers=headers)
    assert answer.status == 401
    assert "secret" not in str(answer.value)


async def test_G10_any_test_key_is_accepted_whatever_the_case_of_the_header(call):
    """A caller may make up a key that says that it is one for tests."""
    caller = await call()
    answer = await caller.post("/v2/text/suggest-prompt", headers={"x-api-KEY": "test-made-up"})
    assert answer.status == 200


async def test_a_chosen_key_is_the_only_one(call):
    """An emulator that was given a key takes no other."""
    caller = await call(key="demo-mine")
    wrong = await caller.post("/v2/text/suggest-prompt", headers={"X-Api-Key": "demo-other"})
    right = await caller.post("/v2/text/suggest-prompt")
    assert (wrong.status, right.status) == (401, 200)


async def test_health_needs_no_key(call):
    """Anybody may ask whether the server is there."""
    caller = await call()
    assert (await caller.ask("GET", "/health", headers={})).status == 200


async def test_unknown_routes_are_404_and_wrong_methods_405(call):
    """Where nothing is, the body says so; where something is, the header says what."""
    caller = await call()
    nowhere = await caller.post("/v2/text/nowhere", {})
    wrong = await caller.ask("GET", "/v2/text/prompt")
    assert (nowhere.status, list(nowhere.value)) == (404, ["message"])
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")
    assert [seen.outcome for seen in caller.emulator.requests] == ["404", "405"]


async def test_inspire_me_goes_by_what_was_submitted(call):
    """With a picture it describes, with a prompt it refines, with neither it suggests."""
    caller = await call(unknown_media="placeholder")

    async def say(**fields: str) -> str:
        return (await caller.post("/v2/text/prompt", fields)).value

    described = await say(image_url=URL, option="Image2Prompt")
    assert await say(image_url=URL) == described
    assert await say(image_url=URL, option="InspireMe") == described
    assert await say(prompt="a cat") == await say(prompt="a cat", option="RefinePrompt")
    assert await say() != await say()


async def test_a_refined_prompt_keeps_its_words_in_order(call):
    """Refining adds; it takes nothing away and moves nothing."""
    caller = await call()
    words = "Nike shoes on colorful background"
    refined = (await caller.post("/v2/text/refine-prompt", {"prompt": words})).value
    assert refined.startswith(words)
    assert len(refined) > len(words)


async def test_the_same_seed_gives_the_same_suggestions(call):
    """Every choice of words comes from the seed."""
    said = []
    for seed in (7, 7, 8):
        caller = await call(seed=seed)
        said.append([(await caller.post("/v2/text/suggest-prompt")).value for _ in range(5)])
    assert said[0] == said[1] != said[2]

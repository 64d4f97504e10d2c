"""The form-data routes: wrapped answers, files and URLs, the same limits and errors."""

import io

import aiohttp
import pytest

from vimmerse_async.emulator import Fault

URL = "https://cdn.example/a.png"


def form(fields: dict[str, str], files: dict[str, bytes] | None = None) -> aiohttp.FormData:
    body = aiohttp.FormData(fields)
    for name, data in (files or {}).items():
        body.add_field(name, io.BytesIO(data), filename=name)
    return body


async def write(caller, fields, files=None):
    return await caller.ask("POST", "/text/prompt", data=form(fields, files))


@pytest.mark.parametrize("multipart", [True, False])
async def test_a_prompt_comes_wrapped_from_both_kinds_of_form(call, multipart):
    """Multipart and urlencoded say the same."""
    caller = await call(unknown_media="placeholder")
    body = aiohttp.FormData({"prompt": "a cat", "image_url": ""}, default_to_multipart=multipart)
    answer = await caller.ask("POST", "/text/prompt", data=body)
    assert answer.status == 200
    assert list(answer.value) == ["data"]
    assert answer.value["data"].startswith("a cat")


async def test_empty_fields_are_absent(call):
    """The legacy defaults are empty strings; nothing submitted is a suggestion."""
    caller = await call()
    fields = dict.fromkeys(["prompt", "image_url", "image2_url", "video_url", "mode", "option"], "")
    assert (await write(caller, fields)).status == 200


async def test_files_are_described_as_their_urls_would_be(call, picture):
    """A file in the form is the same as its hosted URL."""
    caller = await call()
    first, second = picture((255, 0, 0)), picture((0, 0, 255))
    direct = await write(caller, {}, {"image_file": first, "image2_file": second})
    urls = []
    for data in (first, second):
        uploaded = await caller.ask("POST", "/image", data=form({}, {"image_file": data}))
        urls.append(uploaded.value["data"]["results"][0])
    by_url = await write(caller, {"image_url": urls[0], "image2_url": urls[1]})
    assert direct.status == by_url.status == 200
    assert direct.value == by_url.value


@pytest.mark.parametrize(
    ("fields", "files", "status"),
    [
        ({"mode": "opera"}, {}, 422),
        ({"option": "refine"}, {}, 422),
        ({"image_url": "http://cdn.example/a.png"}, {}, 400),
        ({"option": "RefinePrompt"}, {}, 400),
        ({}, {"image_file": b"no picture"}, 400),
        ({"image_url": URL}, {}, 400),
    ],
)
async def test_wrong_forms_are_refused_as_in_v2(call, fields, files, status):
    """The errors have the contract's bodies."""
    caller = await call()
    answer = await write(caller, fields, files)
    assert answer.status == status
    assert list(answer.value) == ["detail" if status == 422 else "message"]


@pytest.mark.parametrize(
    ("path", "field", "data"),
    [
        ("/video", "video_file", b"\0\0\0\x18ftypisom" + b"\0" * 99),
        ("/audio", "audio_file", b"RIFF\0\0\0\0WAVEfmt "),
        ("/audio", "audio_file", b"ID3\x04" + b"\0" * 99),
    ],
)
async def test_uploads_answer_a_wrapped_asset(call, path, field, data):
    """Video and audio are hosted like pictures."""
    caller = await call()
    answer = await caller.ask("POST", path, data=form({}, {field: data}))
    asset = answer.value["data"]
    assert asset["results"][0].startswith("https://media.vimmerse.test/")
    assert (await caller.ask("GET", f"/asset/{asset['id']}")).value == asset


@pytest.mark.parametrize(("path", "field"), [("/video", "video_url"), ("/audio", "audio_url")])
async def test_a_url_is_taken_instead_of_a_file(call, path, field):
    """It stays where it is; nothing is fetched."""
    caller = await call()
    answer = await caller.ask("POST", path, data=form({field: "https://cdn.example/a.mp4"}))
    wrong = await caller.ask("POST", path, data=form({field: "http://cdn.example/a.mp4"}))
    nothing = await caller.ask("POST", path, data=form({"other": "x"}))
    assert answer.value["data"]["results"] == ["https://cdn.example/a.mp4"]
    assert (wrong.status, nothing.status) == (400, 422)


async def test_an_image_needs_its_file(call):
    """There is no URL for it."""
    caller = await call()
    answer = await caller.ask("POST", "/image", data=form({"image_url": URL}))
    assert answer.status == 422


@pytest.mark.parametrize("path", ["/text/prompt", "/image", "/video", "/audio"])
async def test_key_limits_and_faults_are_those_of_v2(call, path):
    """401, 429 and a fault come before the form is judged."""
    caller = await call(limits={"per_minute": 1}, faults=[Fault("status", status=500)])
    body = {"prompt": "a cat"}
    statuses = [
        (await caller.ask("POST", path, data=form(body), headers={})).status,
        (await caller.ask("POST", path, data=form(body))).status,
        (await caller.ask("POST", path, data=form(body))).status,
    ]
    assert statuses == [401, 500, 429]


async def test_a_legacy_prompt_costs_what_a_prompt_costs(call):
    """The wallet does not care which form a question came in."""
    caller = await call(credits=1)
    statuses = [(await write(caller, {"prompt": "a cat"})).status for _ in range(2)]
    assert statuses == [200, 402]


async def test_a_refused_form_leaves_no_file(call, picture):
    """What was sent with a form that is refused is forgotten."""
    caller = await call(credits=0)
    answer = await write(caller, {}, {"image_file": picture((1, 2, 3))})
    assert answer.status == 402
    assert caller.emulator._hosting._assets == {}

"""Group C on the wire: bad input costs no connection, no slot, and no credit."""

import asyncio
import math

import pytest

from vimmerse_async import (
    ConfigurationError,
    InvalidRequestError,
    InvalidURLError,
    get_asset,
    image_2_prompt,
    refine_prompt,
    suggest_prompt,
    text_prompt,
    upload_image,
)

URL = "https://a.example/1.png"
CALLS = {
    "C1 http": lambda s: image_2_prompt(s, "http://a.example/1.png"),
    "C2 no URL": lambda s: image_2_prompt(s, "1.png"),
    "C3 user info": lambda s: image_2_prompt(s, "https://u:p@a.example/"),
    "C5 line break": lambda s: image_2_prompt(s, URL + "\r\n"),
    "C7 port": lambda s: image_2_prompt(s, "https://a.example:99999/"),
    "C9 long": lambda s: image_2_prompt(s, URL + "x" * 8192),
    "C10 bytes": lambda s: image_2_prompt(s, URL.encode()),
    "C10 None": lambda s: image_2_prompt(s, None),
    "C16 surrogate": lambda s: refine_prompt(s, "\ud800"),
    "C17 empty": lambda s: refine_prompt(s, ""),
    "C17 spaces": lambda s: refine_prompt(s, " \n"),
    "C17 NUL": lambda s: refine_prompt(s, "a\0b"),
    "C17 10 MB": lambda s: refine_prompt(s, "x" * 10**7),
    "C17 NaN": lambda s: s.request("POST", "/a", json={"x": math.nan}),
    "C19 option": lambda s: text_prompt(s, option="Describe"),
    "C19 case": lambda s: text_prompt(s, option="inspireme"),
    "C19 mode": lambda s: text_prompt(s, mode="Scene"),
    "C19 no picture": lambda s: text_prompt(s, option="Image2Prompt"),
    "C19 no prompt": lambda s: text_prompt(s, option="RefinePrompt", image_url=URL),
    "C23 timeout 0": lambda s: refine_prompt(s, "x", timeout=0),
    "C23 timeout -1": lambda s: suggest_prompt(s, timeout=-1),
    "C23 timeout nan": lambda s: suggest_prompt(s, timeout=math.nan),
    "C23 timeout text": lambda s: suggest_prompt(s, timeout="5"),
    "C24 empty file": lambda s: upload_image(s, b""),
    "asset id": lambda s: get_asset(s, "../v2"),
    "method": lambda s: s.request("TRACE", "/a"),
    "path": lambda s: s.request("GET", "//evil.example/"),
    "path with a line break": lambda s: s.request("GET", "/a\r\nX-Evil: 1"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_bad_input_costs_nothing(call, serve, connect):
    """It is refused by name before a slot is taken, also while the limit is used up."""
    server = await serve("hang")
    session = await connect(server, limit=1)
    holder = asyncio.ensure_future(refine_prompt(session, "x"))
    while not server.requests:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.001)
    async with asyncio.timeout(5):
        with pytest.raises(InvalidRequestError) as raised:
            await call(session)
    assert raised.value.field
    assert len(str(raised.value)) < 400
    assert (len(server.requests), server.connections) == (1, 1)
    assert session.statistics().sends == 0
    holder.cancel()
    await asyncio.wait([holder])


async def test_the_classes_of_bad_input(connect):
    """A URL, an option and a setting have errors of their own kind, all of them ValueErrors."""
    session = await connect("http://127.0.0.1:9")
    for call, kind in (
        (image_2_prompt(session, "1.png"), InvalidURLError),
        (text_prompt(session, mode="x"), InvalidRequestError),
        (suggest_prompt(session, timeout=0), ConfigurationError),
    ):
        with pytest.raises(ValueError) as raised:
            await call
        assert type(raised.value) is kind

"""Random damage to replies: a value or an error of ours, never anything else, never a hang."""

import random

import pytest
from wire_kit import both_ways

from vimmerse_async import APIError, APIStatusError, RetryPolicy, Timeouts, refine_prompt

way = both_ways

OK, CHUNKED = "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n"
GOOD = [
    OK + 'Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"a cat, 50mm"',
    OK + CHUNKED + '6\r\n"a cat\r\n7\r\n, 50mm"\r\n0\r\n\r\n',
    OK + CHUNKED + 'd;a=b\r\n"a cat, 50mm"\r\n0\r\nX-T: u\r\n\r\n',
    "HTTP/1.1 100 Continue\r\n\r\n" + OK + 'Content-Length: 13\r\n\r\n"a cat, 50mm"',
    'HTTP/1.1 429 No\r\nRetry-After: 0\r\nContent-Length: 17\r\n\r\n{"message": "no"}',
    "HTTP/1.1 422 No\r\nDate: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 2\r\n\r\n{}",
    'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n"a cat, 50mm"',
    "HTTP/1.1 302 Found\r\nLocation: http://a.example/?key=b\r\nContent-Length: 0\r\n\r\n",
    OK + "Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08\x00ab",
]
ALPHABET = "\r\n\0\t :;,0123456789abcdefHTP/.{}[]\"'\\%é\xff\x80-+"


def damaged(chance: random.Random) -> list[str]:
    """Return a reply with some letters changed, doubled or lost, in one or more segments."""
    letters = list(chance.choice(GOOD))
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8])):
        place = chance.randrange(len(letters))
        piece = letters[place : place + chance.randrange(1, 12)]
        letters[place : place + len(piece)] = chance.choice(
            [
                [chance.choice(ALPHABET)],
                [],
                piece * 2,
                [*chance.choices(ALPHABET, k=5)],
                ["\r", "\n"],
            ]
        )
        letters = letters or [" "]
    text = "".join(letters)
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.choice([0, 0, 1, 2])))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("seed", range(8))
async def test_B19_damaged_replies(seed, serve, connect):
    """A hundred damaged replies, in whole or in pieces: a prompt, or an error of ours."""
    await survive(random.Random(seed), 100, serve, connect)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 120))
async def test_B19_many_damaged_replies(seed, serve, connect):
    """Twenty thousand of them."""
    await survive(random.Random(seed), 1000, serve, connect)


async def survive(chance, count, serve, connect):
    server = await serve()
    session = await connect(
        server, retry=RetryPolicy(max_attempts=1), timeouts=Timeouts(attempt=2), hooks=()
    )
    for _ in range(count):
        texts = damaged(chance)
        server.order({"do": "pieces", "texts": texts, "every": 0.001, "close": True})
        assert is_sound(await result_of(session)), texts
        assert not server.instructions
        await server.forsaken()
    assert session.gate.in_flight == 0
    assert await refine_prompt(session, "whole") == "answer to whole"


async def result_of(session):
    try:
        return await refine_prompt(session, "x")
    except APIError as error:
        return error


def is_sound(result):
    """A prompt, or an error of ours; no time-out, for the server always ends."""
    if isinstance(result, APIStatusError):
        return 400 <= result.status <= 599
    if isinstance(result, APIError):
        return result.kind != "timeout"
    return type(result) is str and bool(result.strip())

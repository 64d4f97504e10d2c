"""Prompts without a picture: enriched, suggested, or plainly unseen."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vimmerse_async.emulator.author.phrases import ENRICHMENTS, SUGGESTIONS
from vimmerse_async.emulator.author.prompts import refine, suggest, unseen

MODES = (None, "scene", "video", "image", "audio")
modes = st.sampled_from(MODES)
SHOES = "Nike shoes on colorful background"


@settings(deadline=None)
@given(st.text(), modes, st.integers())
def test_a_refined_prompt_keeps_its_own_words_in_order(prompt, mode, seed):
    """The words of the prompt begin the answer, unchanged; more words follow."""
    refined = refine(prompt, mode=mode, seed=seed)
    kept = prompt.strip().rstrip(".,;: ")
    assert refined.startswith(kept)
    assert len(refined.split()) >= len(prompt.split()) + 3
    assert refined.endswith(".")


@pytest.mark.parametrize("mode", MODES)
def test_refining_adds_fresh_words_by_mode_and_seed(mode):
    """Seeds vary what is added, modes have their own stock, and nothing is added twice."""
    refined = {refine(SHOES, mode=mode, seed=seed) for seed in range(30)}
    assert len(refined) > 20
    stock = {words for aspect in ENRICHMENTS[mode or "scene"] for words in aspect}
    for text in refined:
        added = text.removeprefix(f"{SHOES}, ").removesuffix(".")
        assert added != text
        assert sum(words in added for words in stock) == 3
    assert refine(SHOES, mode=mode, seed=3) == refine(SHOES, mode=mode, seed=3)


def test_what_a_prompt_already_says_is_not_added():
    """Of an aspect the words that stand in the prompt are left out."""
    prompt = "A quiet mood and layered depth, a clear focal point and nuanced colour"
    for seed in range(60):
        added = refine(prompt, seed=seed).removeprefix(prompt)
        assert not any(words in added for words in ("a quiet mood", "layered depth", "nuanced"))


@pytest.mark.parametrize(
    ("prompt", "beginning"),
    [
        ("A red kite.", "A red kite, "),
        ("  A red kite ,", "A red kite, "),
        ("Who goes there?", "Who goes there? "),
        ("Stop!", "Stop! "),
        ("Häuser am Fluß", "Häuser am Fluß, "),
        ("two\nlines", "two\nlines, "),
        ("\ud800", "\ud800, "),
    ],
)
def test_a_prompt_is_joined_by_its_own_punctuation(prompt, beginning):
    """A statement goes on after a comma, a question or a call after itself."""
    refined = refine(prompt)
    assert refined.startswith(beginning)
    after = refined.removeprefix(beginning)[0]
    assert after.isupper() == prompt.endswith(("?", "!"))


@pytest.mark.parametrize("mode", MODES)
def test_suggestions_are_varied(mode):
    """A thousand in a row are all different, and neighbours share no part."""
    texts = [suggest(number, mode=mode) for number in range(1_000)]
    assert len(set(texts)) == 1_000
    assert len({text.split(",")[0] for text in texts}) > 50
    for text in texts[:50]:
        assert re.fullmatch(r"[A-Z][^.]+\.", text)
        assert not re.search(r"\b(\w+) \1\b", text)


def test_suggestions_meet_in_all_their_combinations():
    """The sizes of the stock are pairwise coprime: nothing comes back before its time."""
    for pattern, parts in SUGGESTIONS.values():
        total = 1
        for part in parts:
            assert len(set(part)) == len(part)
            total *= len(part)
        assert pattern.count("{}") == len(parts)
        assert total == 45_045
    assert len({suggest(number) for number in range(total)}) == total


def test_suggestions_follow_number_mode_and_seed():
    """The same number, mode and seed suggest the same; another of any suggests another."""
    assert suggest(5, seed=1) == suggest(5, seed=1)
    assert suggest(5, seed=1) != suggest(6, seed=1)
    assert len({suggest(5, seed=seed) for seed in range(50)}) > 45
    assert len({suggest(5, mode=mode) for mode in MODES[1:]}) == 4
    assert suggest(5) == suggest(5, mode="scene")


@settings(deadline=None)
@given(st.text(max_size=80), modes, st.integers())
def test_unseen_says_so_whatever_the_url(path, mode, seed):
    """The sentence says that it was not seen, and is the same for the same question."""
    text = unseen(f"https://cdn.example/{path}", mode=mode, seed=seed)
    assert "not seen" in text
    assert "placeholder" in text
    assert text == unseen(f"https://cdn.example/{path}", mode=mode, seed=seed)
    assert text.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/a/shoe.png?X-Signature=SECRET",
        "https://cdn.example/a/shoe.png?x=1#SECRET",
        "https://user:SECRET@cdn.example/a/shoe.png",
        "https://cdn.example/a/shoe.png%3Fsignature=SECRET",
    ],
)
def test_unseen_repeats_the_name_and_no_secret(url):
    """Host and file name are repeated; query, fragment and credentials never are."""
    for seed in range(9):
        text = unseen(url, seed=seed)
        assert "picture shoe.png at cdn.example" in text
        assert "SECRET" not in text


def test_unseen_differs_by_url_and_knows_videos():
    """Other names give other sentences; a film's name makes it a video."""
    texts = {unseen(f"https://cdn.example/{number}.jpg") for number in range(50)}
    assert len(texts) == 50
    assert "video clip.mp4" in unseen("https://cdn.example/clip.mp4", mode="video")
    assert "video prompt" in unseen("https://cdn.example/clip.mp4", mode="video")


@pytest.mark.parametrize("url", ["https://[::bad/x", "", "https://", "https://cdn.example/"])
def test_unseen_needs_no_name(url):
    """A URL without a name, or that is none, still gives the plain sentence."""
    assert re.search(r"picture at (an unknown host|cdn\.example) was not seen", unseen(url))


def test_long_and_unprintable_names_are_cut():
    """Names are shown without control characters and at most 80 letters long."""
    text = unseen("https://cdn.example/%0A%1b[31m" + "x" * 500)
    assert "x" * 90 not in text
    assert text.isprintable()

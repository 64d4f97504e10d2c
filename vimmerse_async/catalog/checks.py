"""What looks wrong about answers: one alone, and beside all others."""

import re
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

SHORT, LONG, SAME, REFUSAL, LANGUAGE, TEMPLATE = (
    "too short", "too long", "same for different pictures", "refusal", "language", "template",
)  # fmt: skip
FLAWS = (SHORT, LONG, SAME, REFUSAL, LANGUAGE, TEMPLATE)
"""All that is looked for."""
BETWEEN = ", "
"""Stands between several of them."""
LEAST_WORDS, MOST_WORDS = 3, 150
_WIDE = 2
"""Letters of a script without spaces between words that make one, for its length."""
_REFUSALS = re.compile(
    r"\b(?:(?:i'?m|i am) (?:sorry|unable|not able)|i (?:can(?:no|')t|can not|won't)|as an ai\b|"
    r"(?:unable|not able) to (?:view|see|access|process|describe|analy[sz]e|open|load)|"
    r"(?:cannot|can't|could not|couldn't) (?:view|see|access|process|describe|analy[sz]e|open|load|"
    r"assist|help|be (?:seen|loaded|opened))|no image (?:was|is|has been)? ?(?:provided|attached|"
    r"found)|lo siento|no puedo|je suis désolé|je ne peux pas|es tut mir leid|"
    r"ich kann (?:das|dieses|nicht|leider)|mi dispiace|"
    r"sinto muito)",
    re.IGNORECASE,
)
_REFUSED_WITHIN = 160
"""Characters at the beginning in which a refusal stands; further on it is about the picture."""
_TEMPLATES = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\$\{\w+\}|(?<!\w)\{[\w .-]{1,40}\}|"
    r"<\|?(?:insert|your|placeholder)\b[^>]*>|"
    r"\[(?:insert|your|add|placeholder|name|product)\b[^\]]*\]|%\(\w+\)s|\blorem ipsum\b",
    re.IGNORECASE,
)
_SPACELESS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI"})
_SCRIPTS = (
    "LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "HANGUL", *sorted(_SPACELESS),
)  # fmt: skip
_TOLD: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and with in is on a an at by for from its against",
        "de": "der die das und mit ein eine einem einer ist auf im den dem von vor",
        "fr": "le la les des une un et avec dans est sur du au aux en",
        "es": "el los las una un y con en es sobre del al por para",
        "it": "il lo gli una un e con nel nella è su del della di per",
        "pt": "o os uma um e com em é no na do da sobre para ao",
        "nl": "de het een en met op is van in voor tegen aan bij",
    }.items()
}
"""By language: its commonest words."""
_SURE = 3
"""Such words that a text has at least, and more than of any other language."""
_MOST = 0.6
"""The share of all answers that makes a language theirs."""


class Checks:
    """Sees every answer once, then says what looks wrong about each, in flat memory."""

    def __init__(self) -> None:
        self._languages: Counter[str] = Counter()
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute(
            "CREATE TABLE said (text BLOB PRIMARY KEY, question BLOB, several INTEGER) "
            "WITHOUT ROWID"
        )
        self._scratch.execute("BEGIN")

    def __del__(self) -> None:
        self._scratch.close()

    def see(self, question: bytes, text: str) -> None:
        """Take an answer into account.

        Args:
            question: What was asked.
            text: The answer.
        """
        language = language_of(text)
        if language is not None:
            self._languages[language] += 1
        self._scratch.execute(
            "INSERT INTO said VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET several = "
            "several OR question <> excluded.question",
            (_alike(text), question),
        )

    def flaws(self, text: str) -> str | None:
        """Return in which ways an answer looks wrong, with commas between them; None: in none."""
        found = flaws_of(text)
        sql = "SELECT several FROM said WHERE text = ?"
        several = self._scratch.execute(sql, [_alike(text)]).fetchone()
        if several is not None and several[0]:
            found.append(SAME)
        language, most = language_of(text), self._language
        if language is not None and most is not None and language != most:
            found.append(LANGUAGE)
        return BETWEEN.join(found) or None

    @property
    def _language(self) -> str | None:
        """The language of most answers; None where there is none."""
        common = self._languages.most_common(1)
        if not common or common[0][1] < _MOST * self._languages.total():
            return None
        return common[0][0]


def flaws_of(text: str) -> list[str]:
    """Return what looks wrong about a text alone.

    Example:
        >>> flaws_of("I'm sorry, I can't describe this image."), flaws_of("A {{colour}} shoe")
        (['refusal'], ['template'])
    """
    words = length_of(text)
    found = {
        SHORT: words < LEAST_WORDS,
        LONG: words > MOST_WORDS,
        REFUSAL: _REFUSALS.search(text.replace("’", "'")[:_REFUSED_WITHIN]) is not None,
        TEMPLATE: _TEMPLATES.search(text) is not None,
    }
    return [name for name, is_so in found.items() if is_so]


def length_of(text: str) -> int:
    """Return how many words a text has, also one that parts them by nothing."""
    wide = sum(script_of(letter) in _SPACELESS for letter in text if letter > "\u0e00")
    return len(text.split()) + wide // _WIDE


def language_of(text: str) -> str | None:
    """Return the language of a text, or its script where that is not Latin; None: it is not sure.

    Example:
        >>> language_of("Ein roter Schuh auf der Wiese mit dem Hund"), language_of("Красный дом")
        ('de', 'CYRILLIC')
    """
    scripts = Counter(script_of(letter) for letter in text[:400] if letter.isalpha())
    if not scripts:
        return None
    script = scripts.most_common(1)[0][0]
    if script != "LATIN":
        return "CJK" if script in {"HIRAGANA", "KATAKANA"} else script or None
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = sorted(
        ((sum(word in told for word in words), name) for name, told in _TOLD.items()), reverse=True
    )
    (best, name), (second, _) = scores[:2]
    return name if best >= _SURE and best > second else None


def script_of(letter: str) -> str:
    """Return the script of a letter; empty where it is none of the common ones."""
    if letter.isascii():
        return "LATIN"
    name = unicodedata.name(letter, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "")


def _alike(text: str) -> bytes:
    plain = " ".join(re.findall(r"\w+", text.casefold()))
    return blake2b(plain.encode(errors="replace"), digest_size=16).digest()

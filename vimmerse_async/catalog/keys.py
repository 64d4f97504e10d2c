"""A key that stands for two pictures would give the second the caption of the first."""

import sqlite3
from collections.abc import Callable, Iterable
from hashlib import blake2b

import attrs

from vimmerse_async.batch.identity import RefusedRequest, digest_of
from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.models import URL_FIELDS, PromptRequest
from vimmerse_async.urls import shown
from vimmerse_async.wire import prompt_call

Ask = Callable[[CatalogRow], PromptRequest]
_SEE = (
    "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET told = told "
    "RETURNING subject, told"
)


@attrs.frozen
class Clash:
    """Two rows that have one key and ask about different pictures, or texts.

    Attributes:
        column: Of the keys.
        key: Theirs.
        what: "pictures" or "texts".
        first, second: What each asks about, and where it stands.
    """

    column: str
    key: str
    what: str
    first: str
    second: str

    def __str__(self) -> str:
        return (
            f"the key {brief(self.key)} of column {self.column!a} stands for two {self.what}: "
            f"{self.first} and {self.second}"
        )


class Keys:
    """Remembers what each key stands for, in flat memory.

    Addresses are compared without their queries, which are new at each listing where they hold a
    signature.

    Args:
        questions: What is asked about each row, its columns found out.
    """

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._is_split = questions.split == "all" and not questions.about_text
        self._scratch = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._scratch.execute(
            "CREATE TABLE seen (question BLOB PRIMARY KEY, subject BLOB, told TEXT) WITHOUT ROWID"
        )
        self._scratch.execute("BEGIN")  # one for all: it is never to be read by others

    def __del__(self) -> None:
        self._scratch.close()

    def ask(self, row: CatalogRow) -> PromptRequest:
        """Return what is asked about a row; a refusal if its key stands for another row's."""
        request = self._questions.ask(row)
        clash = self.clash(row, request)
        return request if clash is None else refusal(row, str(clash))

    def clash(self, row: CatalogRow, request: PromptRequest) -> Clash | None:
        """Return what speaks against a row's key; None when nothing does.

        Args:
            row: The row.
            request: What is asked about it.
        """
        if request.key is None or isinstance(request, RefusedRequest):
            return None
        try:
            question = digest_of(request, prompt_call(request))
        except InvalidRequestError:
            return None  # it is never sent, and so gets nobody's caption
        urls = [url for name in URL_FIELDS if (url := getattr(request, name)) is not None]
        about = [url.partition("?")[0].partition("#")[0] for url in urls] or [request.prompt]
        subject = blake2b(repr(about).encode(), digest_size=16).digest()
        told = f"{shown(urls[0]) if urls else brief(request.prompt)} ({self._place(row)})"
        known = self._scratch.execute(_SEE, [question, subject, told]).fetchone()
        if known[0] == subject:
            return None
        what = "pictures" if urls else "texts"
        return Clash(self._questions.key_column or "", request.key, what, known[1], told)

    def _place(self, row: CatalogRow) -> str:
        return f"{row.place}, image {row.address}" if self._is_split else row.place


def check_keys(rows: Iterable[CatalogRow], questions: Questions) -> None:
    """See to it that no key of a catalog stands for two pictures, or texts.

    Args:
        rows: Of the catalog, those that are going to be asked.
        questions: What is asked about each, its columns found out.

    Raises:
        InvalidRequestError: One does; names two of its rows.
    """
    keys = Keys(questions)
    for row in rows:
        clash = keys.clash(row, questions.ask(row))
        if clash is not None:
            raise InvalidRequestError(
                f"{clash}, and the second would get the caption of the first: give --key-column a "
                "column that differs from picture to picture, or leave it out",
                field="key_column",
            )


def asker_of(questions: Questions) -> Ask:
    """Return what tells what a row asks; rows are to be given from the first of the catalog on."""
    return questions.ask if questions.key_column is None else Keys(questions).ask

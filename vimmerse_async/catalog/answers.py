"""What a journal knows about rows: found by what they ask, never by their place."""

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from vimmerse_async.batch.identity import RefusedRequest, digest_of, digest_of_refused
from vimmerse_async.catalog.files import look, why
from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.forms import URL_COLUMN
from vimmerse_async.catalog.hosting import KnownFiles, refused_upload
from vimmerse_async.catalog.keys import Ask, asker_of
from vimmerse_async.catalog.plain import PlainUrls
from vimmerse_async.catalog.questions import Questions, refusal
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.control.retry import rule_of_status
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.records import Finding, digest_of_file
from vimmerse_async.models import PromptRequest
from vimmerse_async.wire import prompt_call

NOT_ASKED = "not asked yet"
PLACEHOLDER = "https://not.uploaded.yet/"
"""Stands for an upload's address, which is no part of a question that has a key."""

Find = Callable[[Sequence[bytes]], Mapping[bytes, Finding]]


@attrs.define
class Answer:
    """What stands beside a row.

    Attributes:
        prompt: The answer; None when there is none.
        error: Why there is none; None when there is.
        missing: True for a row that was not asked yet.
    """

    prompt: str | None
    error: str | None
    missing: bool = False


@attrs.define
class Asked:
    """A row and what it asks.

    Attributes:
        row: The row, of a folder's with the address of its upload.
        question: The identity of what it asks; None when it cannot be asked.
        error: Why it cannot be asked; None when it can.
        upload: The identity under which it is kept that its file was refused; None: it has none.
    """

    row: CatalogRow
    question: bytes | None
    error: str | None = None
    upload: bytes | None = None


class Askers:
    """Tells what rows ask, as a run does.

    Args:
        questions: What is asked about each.
        files: What is known of local files; None: nothing.

    Attributes:
        ask: Tells what a row without a file asks.
    """

    def __init__(self, questions: Questions, files: KnownFiles | None) -> None:
        self._questions = questions
        self._files = files
        self.ask: Ask = asker_of(questions)
        self._urls = PlainUrls(questions)

    def see(self, row: CatalogRow) -> Asked:
        """Return what a row asks."""
        digest = None if row.again else self._urls.digest(row)
        if digest is not None:
            return Asked(row, digest)
        if row.path is None or row.error is not None:
            return _asked(row, self.ask(row))
        try:
            file = look(row.path, convert=row.convert)
            known = None if self._files is None else self._files.digest_of(file.state)
            digest = digest_of_file(row.path) if known is None else known
            digest = first_of(self._files, digest)
        except (OSError, ValueError) as error:
            return _asked(row, refusal(row, why(error)))
        url = None if self._files is None else self._files.uploaded(digest)
        row = attrs.evolve(row, fields={**row.fields, URL_COLUMN: url})
        request = self._questions.ask_hosted(
            row, PLACEHOLDER, digest.hex(), video=file.kind.is_video
        )
        refused = digest_of_refused(refused_upload(row, "", digest))
        return attrs.evolve(_asked(row, request), upload=refused)


def first_of(files: KnownFiles | None, digest: bytes) -> bytes:
    """Return the digest under which a picture is asked: of the first that looks like it."""
    return digest if files is None else files.similar_to(digest) or digest


def answers(rows: Collection[Asked], find: Find) -> list[Answer]:
    """Return what stands beside each of some rows."""
    wanted = [row.question for row in rows if row.question is not None]
    wanted += [row.upload for row in rows if row.upload is not None]
    found = find(wanted) if wanted else {}
    told: list[Answer] = []
    for row in rows:
        finding = None if row.question is None else found.get(row.question)
        answered = finding is not None and finding[0] == "answered"
        told.append(Answer(finding[1], None) if finding and answered else _answer(row, found))
    return told


def not_asked(row: CatalogRow) -> Answer:
    """Return what stands beside a row that was not asked yet."""
    return Answer(None, reason(place_of(row), NOT_ASKED), missing=True)


def place_of(row: CatalogRow) -> str:
    """Return where a row stands, for people: a line or a file."""
    if row.path is not None and not row.in_table:
        return str(row.fields[FILE_COLUMN])
    return row.place


def reason(place: str, message: str) -> str:
    """Return in one line which row failed, and why.

    Args:
        place: The line or the file.
        message: What the error said.
    """
    between = " " if message.startswith(("is a ", "is an ")) else ": "
    return " ".join(f"{place}{between}{message}".splitlines())


def is_untold(finding: Finding | None) -> bool:
    """Return whether a question was not asked yet, or its run was stopped before its fate."""
    if finding is None:
        return True
    state, _, error_class, _, status = finding
    if state != "unfinished":
        return False
    if status is not None:
        return rule_of_status(status).stops_at_once
    return error_class in {None, "CancelledError"}


def _answer(asked: Asked, found: Mapping[bytes, Finding]) -> Answer:
    if asked.question is None:
        told = reason(place_of(asked.row), asked.error or "")
        return Answer(None, told, missing=asked.row.unread)
    finding = found.get(asked.question)
    if finding is None and asked.upload is not None:
        finding = found.get(asked.upload)
    if finding is None or is_untold(finding):
        return not_asked(asked.row)
    state, prompt, _, message, _ = finding
    if state == "answered":
        return Answer(prompt, None)
    return Answer(None, reason(place_of(asked.row), message or ""))


def _asked(row: CatalogRow, request: PromptRequest) -> Asked:
    if isinstance(request, RefusedRequest):
        return Asked(row, None, request.reason)
    try:
        return Asked(row, digest_of(request, prompt_call(request)))
    except InvalidRequestError as error:
        return Asked(row, None, error.message)

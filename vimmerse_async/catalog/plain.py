"""Rows that ask about one plain URL, as most do: told at a fraction of the cost."""

from vimmerse_async.batch.identity import ReadRow, plain_digest, plain_reader
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.models import PromptRequest


class PlainUrls:
    """Tells what rows ask that hold nothing but a URL that needs no closer look.

    Args:
        questions: What is asked about each row.
    """

    def __init__(self, questions: Questions) -> None:
        self._column = questions.only_column
        template = PromptRequest(questions.option, questions.prompt, mode=questions.mode)
        if self._column is not None:
            self._digest = plain_digest(template)
            self._read = plain_reader(template)

    def digest(self, row: CatalogRow) -> bytes | None:
        """Return the identity of what a row asks; None where it has to be looked at closely."""
        url = self._url(row)
        return None if url is None else self._digest(url)

    def read(self, row: CatalogRow) -> ReadRow | None:
        """Return what is asked about a row; None where it has to be looked at closely."""
        url = self._url(row)
        return None if url is None else self._read(url, row)

    def _url(self, row: CatalogRow) -> str | None:
        if self._column is None or row.error is not None or row.path is not None:
            return None
        url = row.fields.get(self._column)
        # another address in it: perhaps there are several
        return url if isinstance(url, str) and "http" not in url[1:] else None

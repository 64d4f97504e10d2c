"""How a catalog is read and what is asked about each row: what makes its answers findable again."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import attrs

from vimmerse_async.catalog.cloud import is_remote
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.folder import FileOptions
from vimmerse_async.catalog.forms import URL_COLUMN, TableFormat, is_address
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError

DETAIL = "catalog"
"""Under what name a run's options in a journal hold it."""
PIPE = "-"


@attrs.frozen
class Recipe:
    """A catalog, how it is read, and what is asked about each row.

    Attributes:
        source: A file, a folder, or `-` for the standard input.
        form: What a file is; None: found out.
        encoding: Of a file; None: found out.
        dialect: What was said about how a CSV is written.
        questions: What is asked.
        files: What was said about local files.
        more: More files, folders and patterns of the same catalog.
    """

    source: str
    form: TableFormat | None
    encoding: str | None
    dialect: DialectOptions
    questions: Questions
    files: FileOptions = attrs.field(factory=FileOptions)
    more: tuple[str, ...] = ()

    def open(self) -> CatalogSource:
        """Open the catalog.

        Raises:
            InvalidRequestError: It cannot be read as one.
        """
        source = CatalogSource(
            self.source,
            form=self.form,
            encoding=self.encoding,
            column=self.questions.text_column,
            dialect=self.dialect,
            files=self.files,
            more=self.more,
        )
        if not self.questions.about_text:
            source.find_pictures(self.questions.column)
            _part(source, self.questions)
        return source

    def settled(self, source: CatalogSource, columns: Sequence[str]) -> "Recipe":
        """Return this with the columns found out that were not given.

        Args:
            source: The open catalog.
            columns: Every column there is.

        Raises:
            InvalidRequestError: There is no such column, or the right one cannot be told.
        """
        if source.folder is not None:
            return attrs.evolve(self, questions=about_files(self.questions))
        given = self.questions
        if given.column is None and not given.about_text and given.video_column is None:
            found = source.picture_columns(columns)
            if len(found) == 1 and not any(
                is_address(value) for row in source.sample for value in row.fields.values()
            ):
                given = attrs.evolve(given, column=found[0])
        questions = given.settled(columns, source.sample)
        if not questions.about_text and source.locals is None:
            source.find_pictures(questions.column)
        _part(source, questions)
        form = self.form if source.many is not None else source.form
        return attrs.evolve(self, form=form, questions=questions)

    @property
    def asked(self) -> str:
        """Stands for what is asked: the same as long as the same is asked about the same rows."""
        asked = self.kept()["questions"]
        if asked["added"] is None:  # journals from before there was such a word know no other
            del asked["added"]
        words = json.dumps(asked, sort_keys=True).encode()
        return hashlib.blake2b(words, digest_size=8).hexdigest()

    def kept(self) -> dict[str, Any]:
        """Return this as JSON can carry it; the path means the same from every folder."""
        kept = attrs.asdict(self)
        kept["source"] = absolute(self.source)
        kept["more"] = [absolute(name) for name in self.more]
        return kept

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self | None:
        """Return what a run's options hold; None when it was no run over a catalog."""
        kept = options.get(DETAIL)
        if not isinstance(kept, dict):
            return None
        known = {field.name for field in attrs.fields(Questions)}
        asked = {name: value for name, value in kept["questions"].items() if name in known}
        if asked.get("added") is not None:
            asked["added"] = tuple(asked["added"])
        dialect = DialectOptions(**kept.get("dialect") or {})
        files = kept.get("files") or {}
        return cls(
            kept["source"],
            kept["form"],
            kept["encoding"],
            dialect,
            Questions(**asked),
            FileOptions(bool(files.get("convert")), tuple(files.get("exclude") or ())),
            tuple(kept.get("more") or ()),
        )


def absolute(name: str) -> str:
    """Return a name that means the same from every folder."""
    return name if name == PIPE or is_remote(name) else os.path.realpath(name)


def _part(source: CatalogSource, questions: Questions) -> None:
    """Say what becomes of several pictures in a cell."""
    if source.locals is not None:
        source.locals.split, source.locals.added = questions.split, questions.split_columns


def about_files(questions: Questions) -> Questions:
    """Return what is asked about the files of a folder.

    Raises:
        InvalidRequestError: A column is given, or texts are to be refined.
    """
    columns = (
        questions.column, questions.column2, questions.video_column, questions.prompt_column,
        questions.key_column,
    )  # fmt: skip
    if any(column not in {None, URL_COLUMN} for column in columns):
        raise InvalidRequestError("a folder has no columns to choose", field="column")
    if questions.template is not None:
        raise InvalidRequestError("a folder has no columns to fill a text", field="template")
    if questions.about_text:
        raise InvalidRequestError("to refine a text for each picture give --prompt", field="prompt")
    return questions

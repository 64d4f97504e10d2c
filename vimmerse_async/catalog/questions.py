"""From a row to what is asked about it: which column holds what."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import attrs

from vimmerse_async.batch.identity import RefusedRequest, question_of
from vimmerse_async.catalog.addresses import (
    SPLIT_COLUMNS,
    Split,
    addresses_of,
    several,
    split_columns,
    split_rows,
)
from vimmerse_async.catalog.forms import TEXT_COLUMN, URL_COLUMN, is_address
from vimmerse_async.catalog.nested import head_of, paths_to
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.templates import Template
from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.models import ModeLike, OptionLike, PromptOption, PromptRequest

Missing = Literal["skip", "empty", "fail"]


class RowError(ValueError):
    """A row that cannot be asked; the others can."""


def refusal(row: CatalogRow, reason: str) -> RefusedRequest:
    """Return a request that is refused before it is sent, for a row that cannot be asked.

    It is the row's own: no other row shares its identity.
    """
    place = f"line {row.line}" if row.part is None else f"{row.part.name} line {row.line}"
    return RefusedRequest(
        reason=reason, key=f"{place}: {reason}", tag=attrs.evolve(row, error=reason)
    )


@attrs.frozen
class Questions:
    """What is asked about each row.

    Attributes:
        option: What to do.
        mode: What the prompts are for; None leaves it to the server.
        prompt: The text to start from, for every row; None for none.
        column: Of the pictures' URLs, or of the texts to refine; None: none, or to be guessed.
        column2: Of the second pictures' URLs; None for none.
        video_column: Of the videos' URLs; None for none.
        prompt_column: Of the texts to start from; None for none.
        key_column: Of what a row is known by when its URL changes; None: by what is asked.
        template: The text to start from, with columns in braces; None for none.
        missing: What becomes of a row where one of these is empty: it is not asked (`skip`), asked
            without (`empty`), or nothing is asked (`fail`).
        split: What becomes of several URLs in one cell of `column`; None: the row is refused.
        added: What the columns are called that splitting adds, where the usual names are taken;
            None: they are not.
    """

    option: OptionLike = PromptOption.IMAGE_2_PROMPT
    mode: ModeLike | None = None
    prompt: str | None = None
    column: str | None = None
    column2: str | None = None
    video_column: str | None = None
    prompt_column: str | None = None
    key_column: str | None = None
    split: Split | None = None
    added: tuple[str, str] | None = None
    template: str | None = None
    missing: Missing = "skip"

    @property
    def split_columns(self) -> tuple[str, str]:
        """What the columns are called that splitting adds."""
        return self.added or SPLIT_COLUMNS

    @property
    def columns(self) -> frozenset[str]:
        """The columns that are asked about."""
        given = (
            self.column, self.column2, self.video_column, self.prompt_column, self.key_column,
            *self.fillers,
        )  # fmt: skip
        return frozenset(name for name in given if name is not None)

    @property
    def fillers(self) -> tuple[str, ...]:
        """The columns that fill the template."""
        return () if self.template is None else Template(self.template).columns

    @property
    def about_text(self) -> bool:
        """True when `column` holds texts to refine, not URLs."""
        seeds = (self.prompt, self.prompt_column, self.template)
        seeded = any(seed is not None for seed in seeds)
        return self.option == PromptOption.REFINE_PROMPT and not seeded

    @property
    def only_column(self) -> str | None:
        """The column of the pictures' URLs where nothing else of a row is asked about."""
        others = (
            self.column2, self.video_column, self.prompt_column, self.key_column, self.template,
        )  # fmt: skip
        return None if self.about_text or self.split == "all" or any(others) else self.column

    @property
    def text_column(self) -> str:
        """What the column of a plain text file is called."""
        return TEXT_COLUMN if self.about_text else URL_COLUMN

    def settled(self, columns: Sequence[str], sample: Sequence[CatalogRow]) -> "Questions":
        """Return these questions with the column found out, if it was not given.

        Args:
            columns: Every column there is.
            sample: The first rows.

        Raises:
            InvalidRequestError: A given column does not exist, or the right one cannot be told.
        """
        for option in ("column", "column2", "video_column", "prompt_column", "key_column"):
            name = getattr(self, option)
            if name is not None and head_of(name, columns) is None:
                raise _no_column(option, name, columns)
        for name in self.fillers:
            if head_of(name, columns) is None:
                raise _no_column("template", name, columns)
        names = split_columns(columns)
        if self.split == "all" and names != SPLIT_COLUMNS:
            return attrs.evolve(self, column=self._found(columns, sample), added=names)
        return attrs.evolve(self, column=self._found(columns, sample))

    def _found(self, columns: Sequence[str], sample: Sequence[CatalogRow]) -> str | None:
        """Return the column of the pictures' URLs, or of the texts; None where there is none."""
        own_text = self.prompt_column is not None or self.template is not None
        by_text = own_text and self.option != PromptOption.IMAGE_2_PROMPT
        if self.column is not None or self.video_column is not None or by_text or not sample:
            return self.column
        return self._guess(columns, sample)

    def rows(self, rows: Iterable[CatalogRow]) -> Iterable[CatalogRow]:
        """Return the rows that are asked about, one for each URL where that was said."""
        if self.split != "all" or self.column is None or self.about_text:
            return rows
        return split_rows(rows, self.column, self.split_columns)

    def ask(self, row: CatalogRow) -> PromptRequest:
        """Return what is asked about a row; of a row that cannot be asked, a refusal."""
        try:
            request = self._asked(row)
        except RowError as error:
            return refusal(row, str(error))
        if not row.again:
            return request
        return attrs.evolve(request, key=repeated(request.key or question_of(request).hex(), row))

    def ask_hosted(self, row: CatalogRow, url: str, key: str, *, video: bool) -> PromptRequest:
        """Return what is asked about a row whose picture or video was uploaded.

        Args:
            row: The row.
            url: Where the upload is.
            key: What it is known by, wherever it is hosted.
            video: Whether it is a video.
        """
        image_url, video_url = (None, url) if video else (url, None)
        if row.in_table:
            return self._ask_table(row, url, key, video=video)
        key = repeated(key, row)
        return PromptRequest(
            self.option, self.prompt, image_url, None, video_url, self.mode, key=key, tag=row
        )

    def _ask_table(self, row: CatalogRow, url: str, key: str, *, video: bool) -> PromptRequest:
        """Return what is asked about a row of a table whose picture was uploaded."""
        names = [self.column or "", *(self.split_columns[:1] if self.split == "all" else ())]
        own = attrs.evolve(row, fields={**row.fields, **dict.fromkeys(names, url)})
        try:
            request = attrs.evolve(self._asked(own), tag=row)
        except RowError as error:
            return refusal(row, str(error))
        if video:
            request = attrs.evolve(request, image_url=None, video_url=url)
        return attrs.evolve(request, key=repeated(request.key or key, row))

    def _asked(self, row: CatalogRow) -> PromptRequest:
        if row.error is not None:
            raise RowError(row.error)
        given = row
        if not self.about_text:
            row = self._one_each(row)
        text = _cell(row, self.column)
        key = _key(row, self.key_column)
        if self.about_text:
            _refuse_address(self.column, text)
            return PromptRequest(self.option, text, mode=self.mode, key=key, tag=row)
        seed = _cell(row, self.prompt_column) or self.prompt
        if self.template is not None:
            seed, empty = Template(self.template).filled(row.fields)
            if empty is not None and self.missing != "empty":
                raise RowError(f"column {empty!a} is empty, and the template needs it")
            seed = seed or None
        second = _cell(row, self.column2)
        video = _cell(row, self.video_column)
        columns = [name for name in (self.column, self.video_column) if name is not None]
        if not (text or video) if columns else seed is None:
            raise RowError(_missing(columns or [self.prompt_column or ""]))
        return PromptRequest(self.option, seed, text, second, video, self.mode, key=key, tag=given)

    def _one_each(self, row: CatalogRow) -> CatalogRow:
        """Return a row whose cells hold one URL each."""
        if self.column is not None and self.split is not None:
            source = self.split_columns[0] if self.split == "all" else self.column
            address = next(iter(addresses_of(row.fields.get(source))), None)
            row = attrs.evolve(row, fields={**row.fields, self.column: address})
        for column in (self.column, self.column2, self.video_column):
            value = None if column is None else row.fields.get(column)
            found = addresses_of(value)
            count = len(found)
            if column is not None and isinstance(value, list) and count == 1:
                row = attrs.evolve(row, fields={**row.fields, column: found[0]})
            if count > 1:
                if column is not None and column == self.column:
                    raise RowError(several(column, count, "URLs"))
                raise RowError(
                    f"column {column!a} holds {count} URLs, and one is asked: keep one in each cell"
                )
        return row

    def _guess(self, columns: Sequence[str], sample: Sequence[CatalogRow]) -> str:
        taken = {self.column2, self.video_column, self.prompt_column, self.key_column}
        free = [name for name in columns if name not in taken]
        if len(free) == 1:
            return free[0]
        if self.about_text:
            raise InvalidRequestError(
                f"which column holds the texts? Choose with --column: {_listed(free)}",
                field="column",
            )
        found = _that_hold(is_address, free, sample) or _that_hold(_is_list, free, sample)
        if len(found) == 1:
            return found[0]
        fact = "several columns hold URLs" if found else "no column holds URLs"
        inside = {} if found else _that_hold_inside(free, sample)
        if inside:
            fact = "URLs are inside of columns only"
        raise InvalidRequestError(
            f"{fact}; choose with --column: {_listed(found or list(inside) or free)}",
            field="column",
        )


def _that_hold_inside(columns: Sequence[str], sample: Sequence[CatalogRow]) -> dict[str, None]:
    """Return the paths to URLs that are inside of what columns hold."""
    return {
        f"{name}.{path}": None
        for name in columns
        for row in sample
        for path in paths_to(row.fields.get(name), is_address)
    }


def repeated(key: str, row: CatalogRow) -> str:
    """Return what a row is known by where it asks the same once more."""
    return f"{key}#{row.again}" if row.again else key


def _cell(row: CatalogRow, column: str | None) -> str | None:
    """Return a row's text in a column; None where there is none."""
    value: Any = None if column is None else row.fields.get(column)
    if value is None:
        return None
    if not isinstance(value, str):
        kind = {dict: "an object", list: "a list", bool: "true or false"}.get(
            type(value), "a number"
        )
        raise RowError(f"column {column!a} holds {kind}, not a text")
    return value.strip() or None


def _key(row: CatalogRow, column: str | None) -> str | None:
    """Return what a row is known by; None where no column says."""
    if column is None:
        return None
    value: Any = row.fields.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # tables with gaps hold whole numbers as floats
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        what = "nothing" if value is None else f"{brief(value)}"
        raise RowError(f"column {column!a} holds {what}, which is no key")
    key = str(value).strip()
    if not key:
        raise RowError(f"column {column!a} is empty, and a row is known by it")
    return key


def _refuse_address(column: str | None, text: str | None) -> None:
    if text is None:
        raise RowError(_missing([column or ""]))
    if is_address(text):
        raise RowError(
            f"column {column!a} holds a URL, which is no text to refine; to describe pictures "
            "leave out --option, to refine a text for each picture give --prompt"
        )


def _missing(columns: Sequence[str]) -> str:
    return f"column {_listed(columns)} is empty"


def _that_hold(
    fits: Callable[[Any], bool], names: Sequence[str], sample: Sequence[CatalogRow]
) -> list[str]:
    return [name for name in names if any(fits(row.fields.get(name)) for row in sample)]


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(map(is_address, value))


def _no_column(option: str, name: str, columns: Sequence[str]) -> InvalidRequestError:
    flag = option.replace("_", "-")
    return InvalidRequestError(
        f"there is no column {name!a} for --{flag}; there are {_listed(columns)}", field=option
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name if name.isprintable() else ascii(name) for name in names[:20])
    return f"{shown}, …" if len(names) > 20 else shown or "none"

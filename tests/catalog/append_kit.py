"""A source with two columns more, made as the command makes it."""

from pathlib import Path
from typing import Any

from vimmerse_async.catalog.append import appender_for, text_encoding
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.catalog.write import output_form

ANSWER = 'a "red" shoe, on\nsand'


def appended(path: Path, out: str = "", answer: str | None = ANSWER, **given: Any) -> Path:
    """Write a source's rows, each with an answer, or the reason that it cannot be asked."""
    target = path.with_name(out or f"out{path.suffix}")
    form = output_form(target.name)
    with CatalogSource(str(path), **given) as source:
        kinds = source.survey().kinds
        encoding, errors = text_encoding(form, source)
        source.ask(source.columns[:1], whole=form != "parquet")
        opened: Any = (
            target.open("wb")
            if form == "parquet"
            else target.open("w", encoding=encoding, errors=errors, newline="")
        )
        with opened as stream:
            appender = appender_for(form, stream, source, kinds)
            for row in source.records():
                appender.write(row, None if row.error else answer, row.error)
            appender.close()
    return target

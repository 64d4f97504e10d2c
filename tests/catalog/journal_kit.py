"""Journals made of nothing, as a run would have left them, and the catalogs that they are of."""

import csv
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vimmerse_async.batch.identity import question_of
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.export import KnownRow
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import DETAIL, Recipe
from vimmerse_async.journal import schema
from vimmerse_async.journal.kept import JournalRow
from vimmerse_async.models import PromptRequest

BEGUN = 1_767_322_800.0
NASTY = "</script><img src=x onerror=\"document.title='owned'\"> & <b>bold</b> \u2028 <!-- ]]> 猫"


def make_journal(
    path: Path,
    rows: Iterable[dict[str, Any]],
    *,
    source: str = "catalog.csv",
    samples: int = 0,
) -> Path:
    """Write a journal; a row has `fields`, and `prompt`, `error` (class, text), or neither.

    Rows that all have an image become a catalog beside it.
    """
    rows = list(rows)
    options = {}
    if all("image" in row["fields"] and "file" not in row["fields"] for row in rows):
        catalog = path.with_name("catalog.csv")
        with catalog.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]["fields"]))
            writer.writeheader()
            writer.writerows(row["fields"] for row in rows)
        recipe = Recipe(str(catalog), "csv", None, DialectOptions(), Questions(column="image"))
        options[DETAIL] = recipe.kept()
    connection = sqlite3.connect(path, isolation_level=None)
    schema.create(connection)
    connection.execute("INSERT INTO meta VALUES ('origin', 'https://api.vimmerse.net')")
    connection.execute("BEGIN")
    count = 0
    for place, row in enumerate(rows):
        question = place.to_bytes(16, "big")
        if options:
            question = question_of(PromptRequest("Image2Prompt", image_url=row["fields"]["image"]))
        name, text = row.get("error", (None, None))
        if row.get("prompt") is None and name is None:
            continue
        state = row.get("state", "answered" if name is None else "rejected")
        request = json.dumps(row.get("request", {"image_url": row["fields"].get("image")}))
        connection.execute(
            "INSERT INTO results VALUES (NULL, ?, ?, ?, ?, ?, NULL, ?, 1, 0, 2.5, 1, ?, 1)",
            (question, state, row.get("prompt"), name, text, request, BEGUN + place),
        )
        count += 1
    connection.execute(
        "INSERT INTO runs VALUES (1, ?, ?, 'finished', ?, ?, ?, 7, ?, 2, 30, 1, 16)",
        (BEGUN, BEGUN + 600, source, json.dumps(options), count, count),
    )
    connection.executemany(
        "INSERT INTO samples VALUES (1, ?, ?, ?, NULL, ?, ?)",
        [
            (BEGUN + 5 * n, 10 + n % 7, 16 + n % 9, n * 40 + n % 11, n // 9)
            for n in range(samples)
        ],
    )  # fmt: skip
    connection.execute("COMMIT")
    connection.close()
    return path


def known(rows: Iterable[dict[str, Any]]) -> Iterable[KnownRow]:
    """Yield such rows as a page gets them."""
    for place, row in enumerate(rows):
        name, text = row.get("error", (None, None))
        state = None
        if row.get("prompt") is not None or name is not None:
            state = row.get("state", "answered" if name is None else "rejected")
        request = row.get("request", {"image_url": row["fields"].get("image")})
        result = state and JournalRow(
            place.to_bytes(16, "big"), state, row.get("prompt"), name, text, None, request, 1, 0,
            2.5, 1, BEGUN + place,
        )  # fmt: skip
        yield KnownRow(place + 2, row["fields"], state, name, text, result)


def some_rows(count: int) -> Iterable[dict[str, Any]]:
    """Rows of a shop: most captioned, every 40th failed, every 90th not asked."""
    for place in range(count):
        fields = {
            "sku": f"VM-{place:06}",
            "title": f"Canvas sneaker number {place}, low and white",
            "image": f"https://img{place % 3}.example/{place}.jpg",
        }
        if place % 90 == 89:
            yield {"fields": fields}
        elif place % 40 == 39:
            yield {"fields": fields, "error": ("UnprocessableEntityError", f"no picture {place}")}
        else:
            prompt = f"A cinematic photograph of a sneaker on a colourful background, take {place}."
            yield {"fields": fields, "prompt": prompt}

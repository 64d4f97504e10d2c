"""A large journal and its catalog, as a run would have left them.

python -m benchmarks.view_journal FOLDER ROWS
"""

import json
import random
import sqlite3
import sys
from pathlib import Path

from vimmerse_async.batch.identity import question_of
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.questions import Questions
from vimmerse_async.catalog.recipe import DETAIL, Recipe
from vimmerse_async.journal import schema
from vimmerse_async.models import PromptRequest

BEGUN = 1_767_322_800.0


def vocabulary(rng: random.Random, size: int) -> tuple[list[str], list[float]]:
    """Return words as a language has them: few that are common, many that are rare."""
    letters = "aeiou", "bcdfghklmnprstvwz"
    words = [
        "".join(rng.choice(letters[1]) + rng.choice(letters[0]) for _ in range(rng.randint(1, 4)))
        for _ in range(size)
    ]
    weights = [1 / (rank + 3) for rank in range(size)]
    return words, weights


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    words, weights = vocabulary(rng, 20_000)
    catalog, path = folder / "catalog.csv", folder / "out.csv.journal"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    schema.create(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("INSERT INTO meta VALUES ('origin', 'https://api.vimmerse.net')")
    connection.execute("BEGIN")
    with catalog.open("w", encoding="utf-8") as file:
        file.write("sku,title,image\n")
        for start in range(0, count, 10_000):
            texts = rng.choices(words, weights, k=10_000 * 28)
            for n in range(start, min(count, start + 10_000)):
                text = texts[(n - start) * 28 : (n - start + 1) * 28]
                url = f"https://cdn{n % 3}.shop.example/pictures/{n:07}.jpg"
                file.write(f"VM-{n:07},{' '.join(text[:3])},{url}\n")
                question = question_of(PromptRequest("Image2Prompt", image_url=url))
                request = json.dumps({"option": "Image2Prompt", "image_url": url})
                answer = (" ".join(text[3:]).capitalize() + ".", None, None, None)
                state = "answered"
                if n % 50 == 49:
                    state = "rejected"
                    answer = (None, "UnprocessableEntityError", f"no picture at {url}", 422)
                connection.execute(
                    "INSERT INTO results VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, 1, 0, 2.5, 1, ?, 1)",
                    (question, state, *answer, request, BEGUN + n / 40),
                )
    recipe = Recipe(str(catalog), "csv", None, DialectOptions(), Questions(column="image"))
    done = count - count // 50
    connection.execute(
        "INSERT INTO runs VALUES (1, ?, ?, 'finished', ?, ?, ?, 7, ?, ?, 30, 1, 16)",
        (
            BEGUN, BEGUN + count / 40, str(catalog),
            json.dumps({DETAIL: recipe.kept(), "price": "0.004"}), count, done, count - done,
        ),
    )  # fmt: skip
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()

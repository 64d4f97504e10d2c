#!/usr/bin/env bash
# DuckDB and fsspec open another file than pandas, Polars and pyarrow for one `file://` URL.
#
# `Path("a b.csv").as_uri()` ends in `a%20b.csv`. DuckDB and fsspec take the path behind `file://` as it stands and look for a file that is named with the percent sign: it is not found, or, where there is one, another table is read without a word. Where it matters: this package writes a file whose name is no UTF-8 as such a URL, which a join with DuckDB has to decode itself; hand those two plain paths.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet duckdb==2.0.1 fsspec==2026.9.0 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
venv/bin/pip list 2>/dev/null | grep -E '^(duckdb|fsspec|pandas|polars|pyarrow) '
venv/bin/python - <<'PYTHON'
from pathlib import Path

import duckdb
import fsspec
import pandas
import polars
import pyarrow.dataset

space, percent = Path("a b.csv").resolve(), Path("a%20b.csv").resolve()
space.write_text("name\nspace\n")
percent.write_text("name\npercent\n")
url = space.as_uri()


def by_fsspec(url):
    with fsspec.open(url, "rt") as file:
        return file.read().split()[1]


read = {
    "pandas": pandas.read_csv(url)["name"][0],
    "polars": polars.read_csv(url)["name"][0],
    "pyarrow": pyarrow.dataset.dataset(url, format="csv").to_table()["name"][0].as_py(),
    "duckdb": duckdb.read_csv(url).fetchall()[0][0],
    "fsspec": by_fsspec(url),
}
for name, file in read.items():
    print(f"{name}: file://…/{Path(url).name} is the file with a {file}")
assert [name for name, file in read.items() if file == "percent"] == ["duckdb", "fsspec"]
PYTHON
# Seen:
#   duckdb            2.0.1
#   fsspec            2026.9.0
#   pandas            3.1.1
#   polars            2.1.0
#   pyarrow           26.0.1
#   pandas: file://…/a%20b.csv is the file with a space
#   polars: file://…/a%20b.csv is the file with a space
#   pyarrow: file://…/a%20b.csv is the file with a space
#   duckdb: file://…/a%20b.csv is the file with a percent
#   fsspec: file://…/a%20b.csv is the file with a percent

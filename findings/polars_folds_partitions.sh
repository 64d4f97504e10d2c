#!/usr/bin/env bash
# To Polars the partitions version=1.1 and version=1.10 are one: it reads the folders' names as numbers with a point.
#
# DuckDB, pyarrow and pandas keep such names as texts; they make whole numbers of names at most. A group, a join or a filter by the column then mixes the rows of two releases, price lists or shops. Where it matters: this package takes partitions for columns as they are written, so a join of its output with what Polars read finds nothing; give Polars `hive_schema={"version": pl.String}`.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==26.0.1
venv/bin/pip list 2>/dev/null | grep -E '^(duckdb|pandas|polars|pyarrow) '
venv/bin/python - <<'PYTHON'
import duckdb
import pandas
import polars
import pyarrow
import pyarrow.dataset

VERSIONS = ["1.1", "1.10", "1.2"]
table = pyarrow.table({"version": VERSIONS, "row": [0, 1, 2]})
pyarrow.dataset.write_dataset(
    table, "lists", format="parquet", partitioning=["version"], partitioning_flavor="hive"
)
read = {
    "polars": polars.read_parquet("lists/").sort("row")["version"].to_list(),
    "polars, told": polars.read_parquet("lists/", hive_schema={"version": polars.String})
    .sort("row")["version"]
    .to_list(),
    "pyarrow": pyarrow.dataset.dataset("lists", partitioning="hive")
    .to_table()
    .sort_by("row")["version"]
    .to_pylist(),
    "pandas": pandas.read_parquet("lists").sort_values("row")["version"].to_list(),
    "duckdb": [
        version
        for (version,) in duckdb.connect()
        .execute("SELECT version FROM 'lists/**/*.parquet' ORDER BY row")
        .fetchall()
    ],
}
for name, versions in read.items():
    print(f"{name}: {versions}")
assert read.pop("polars") == [1.1, 1.1, 1.2]
assert all(versions == VERSIONS for versions in read.values())
PYTHON
# Seen:
#   duckdb            2.0.1
#   pandas            3.1.1
#   polars            2.1.0
#   pyarrow           26.0.1
#   polars: [1.1, 1.1, 1.2]
#   polars, told: ['1.1', '1.10', '1.2']
#   pyarrow: ['1.1', '1.10', '1.2']
#   pandas: ['1.1', '1.10', '1.2']
#   duckdb: ['1.1', '1.10', '1.2']

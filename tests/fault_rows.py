"""Which test covers which row of FAULTS.md; run as a script it prints them all.

A test covers a row when the row's number follows `test_` in its name; the conformance table names
its rows itself. Nothing is imported or run to find out.
"""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

TESTS = Path(__file__).parent
ROWS = {"A": 35, "B": 35, "C": 26, "D": 23, "E": 26, "F": 15, "G": 18}
STRUCK = {"D19", "E9", "E10", "E24", "F13"}
MOST_NOT_APPLICABLE = 8

_LINE = re.compile(r"\| ([A-G]\d{1,2}) \|(.*)\|(.*)\|(.*)\|")
_NAMED = re.compile(r"test_((?:[A-G]\d{1,2}_)+)")


@attrs.frozen
class Row:
    """One line of the table.

    Attributes:
        number: Such as "A28".
        fault: What goes wrong.
        promise: What must happen then.
        means: How it is tested, or why it is not.
    """

    number: str
    fault: str
    promise: str
    means: str

    @property
    def struck(self) -> bool:
        return self.means.startswith("struck: ")

    @property
    def not_applicable(self) -> bool:
        return self.means.startswith("not applicable: ")


def read_rows() -> list[Row]:
    """Return the table's rows in their order."""
    lines = (TESTS / "FAULTS.md").read_text(encoding="utf-8").splitlines()
    found = (_LINE.fullmatch(line) for line in lines)
    return [Row(*map(str.strip, match.groups())) for match in found if match]


def read_tests() -> dict[str, list[str]]:
    """Return the tests of each row, as `file::name`; those marked `full` end in an asterisk."""
    covered: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        place = path.relative_to(TESTS)
        for function in _tests_of(path):
            named = _NAMED.match(function.name)
            for row in named[1].split("_")[:-1] if named else ():
                covered[row].append(f"{place}::{function.name}{'*' * _is_full(function)}")
    cases = json.loads((TESTS / "wire" / "retry_cases.json").read_text(encoding="utf-8"))
    for row in sorted({case["row"] for case in cases}):
        count = sum(case["row"] == row for case in cases)
        covered[row].append(f"wire/retry_cases.json: {count} cases")
    return covered


def _tests_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _is_full(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(each) == "pytest.mark.full" for each in function.decorator_list)


def only_full(covered: Mapping[str, list[str]]) -> list[str]:
    """Return the numbers of the rows that `make test` does not touch."""
    return sorted(row for row, tests in covered.items() if all(test[-1] == "*" for test in tests))


def missing(rows: list[Row], covered: Mapping[str, list[str]]) -> list[str]:
    """Return the numbers of the rows that need a test and have none."""
    return [
        row.number
        for row in rows
        if not (row.number in covered or row.struck or row.not_applicable)
    ]


def report(rows: list[Row], covered: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield the lines that tell every row with its tests, and the sums."""
    for row in rows:
        yield f"{row.number:4} {row.fault}"
        yield from (f"       {test}" for test in covered.get(row.number, [row.means]))
    lacking = missing(rows, covered)
    yield (
        f"{len(rows)} rows: {sum(row.number in covered for row in rows)} tested, "
        f"{sum(row.struck for row in rows)} struck, "
        f"{sum(row.not_applicable for row in rows)} not applicable, {len(lacking)} missing"
    )
    yield from (f"no test of {number}" for number in lacking)


def names_for_pytest(covered: Mapping[str, list[str]]) -> list[str]:
    """Return every test of the table that `make test` runs, as pytest wants to be told."""
    found = {test for tests in covered.values() for test in tests if "::" in test}
    found = {test for test in found if not test.endswith("*")}
    return sorted(f"tests/{test}" for test in {*found, "wire/test_retry_cases.py"})


if __name__ == "__main__":
    table, tests = read_rows(), read_tests()
    if sys.argv[1:] == ["--names"]:
        sys.exit(print(*names_for_pytest(tests), sep="\n"))  # noqa: T201 - that is what was asked
    sys.stdout.writelines(f"{line}\n" for line in report(table, tests))
    sys.exit(bool(missing(table, tests)))

"""The fault table is whole: no row is lost, and every row that needs a test has one."""

import fault_rows


def test_the_table_is_whole():
    """178 rows, each once, in order; none is called struck or not applicable beyond what may be."""
    rows = fault_rows.read_rows()
    wanted = [f"{group}{at + 1}" for group, count in fault_rows.ROWS.items() for at in range(count)]
    assert [row.number for row in rows] == wanted
    assert all(row.fault and row.promise and row.means for row in rows)
    assert {row.number for row in rows if row.struck} == fault_rows.STRUCK
    assert sum(row.not_applicable for row in rows) <= fault_rows.MOST_NOT_APPLICABLE


def test_every_row_has_a_test():
    """A row that loses its last test fails here, and so does a number that is no row."""
    rows, covered = fault_rows.read_rows(), fault_rows.read_tests()
    assert not fault_rows.missing(rows, covered)
    assert covered.keys() <= {row.number for row in rows}


def test_every_row_has_a_test_in_every_run():
    """No row is tested by minutes-long tests alone, which `make test` leaves out."""
    assert not fault_rows.only_full(fault_rows.read_tests())


def test_a_lost_test_is_noticed():
    """The check is no formality: without its tests a row is missing, unless it is struck."""
    rows, covered = fault_rows.read_rows(), fault_rows.read_tests()
    without = {row: tests for row, tests in covered.items() if row not in {"A28", "D19"}}
    assert "A28" in fault_rows.missing(rows, without)
    assert "D19" not in fault_rows.missing(rows, without)
    assert "no test of A28" in list(fault_rows.report(rows, without))

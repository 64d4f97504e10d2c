"""Columns of tables as the rows of a batch, and inputs whose length is nobody's business."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from scripted_server import ScriptedServer

from vimmerse_async import gather_prompts, stream_prompts

URLS = ["https://a.example/0", "https://a.example/1"]
ANSWERS = ["about 0", "about 1"]


class QuerySet:
    """What an ORM has: both iterations, and a length that asks the database."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self._rows()

    async def _rows(self) -> AsyncIterator[str]:
        for url in URLS:
            yield url

    def __len__(self) -> int:
        raise RuntimeError("you cannot call this from an async context")


class Wrapped:
    """A progress bar around a generator."""

    def __iter__(self):
        return iter(URLS)

    def __len__(self) -> int:
        raise TypeError("object of type 'generator' has no len()")


def column(package: str, make: str):
    module = pytest.importorskip(package, reason=f"{package} is not installed here")
    return eval(make, {package: module, "URLS": URLS})


COLUMNS = [
    ("pyarrow", "pyarrow.array(URLS)"),
    ("pyarrow", "pyarrow.chunked_array([URLS[:1], URLS[1:]])"),
    ("pyarrow", "pyarrow.table({'image': URLS})['image']"),
    ("pyarrow", "pyarrow.array(URLS).dictionary_encode()"),
    ("pandas", "pandas.Series(URLS)"),
    ("pandas", "pandas.Series(URLS, dtype='category')"),
    ("pandas", "pandas.Series(URLS, dtype='string')"),
    ("pandas", "pandas.Index(URLS)"),
    ("pandas", "pandas.array(URLS, dtype='string')"),
    ("pandas", "pandas.Categorical(URLS)"),
    ("polars", "polars.Series(URLS)"),
    ("polars", "polars.Series(URLS, dtype=polars.Categorical)"),
    ("polars", "polars.Series(URLS, dtype=polars.Object)"),
    ("numpy", "numpy.array(URLS)"),
    ("numpy", "numpy.array(URLS, dtype=object)"),
]
TABLES = [
    ("pyarrow", "pyarrow.table({'image': URLS})", "image"),
    ("pyarrow", "pyarrow.record_batch({'image': URLS})", "image"),
    ("pandas", "pandas.DataFrame({'image': URLS})", "image"),
    ("polars", "polars.DataFrame({'image': URLS})", "image"),
    ("polars", "polars.LazyFrame({'image': URLS})", "image"),
    ("pandas", "pandas.DataFrame({'image': URLS}).groupby('image')", "dimension"),
    ("numpy", "numpy.array([URLS])", "dimension"),
    ("numpy", "numpy.array(URLS[0])", r"\[text\]"),
    ("numpy", "numpy.array([(URLS[0], 1)], dtype=[('image', 'U99'), ('n', int)])", "image"),
]


@pytest.mark.parametrize("make", [QuerySet, Wrapped])
async def test_a_length_that_cannot_be_told_is_unknown_and_fails_no_batch(
    server: ScriptedServer, make
) -> None:
    """The length of an input is a help and never a condition."""
    async with server.session() as session:
        assert await gather_prompts(session, make()) == ANSWERS


@pytest.mark.parametrize(("package", "make"), COLUMNS)
async def test_a_column_gives_its_values(server: ScriptedServer, package: str, make: str) -> None:
    """A column is read as the list of texts that it shows."""
    values = column(package, make)
    async with server.session() as session:
        assert await gather_prompts(session, values) == ANSWERS


@pytest.mark.parametrize(("package", "make", "named"), TABLES)
async def test_a_table_is_refused_with_the_column_to_pass(
    server: ScriptedServer, package: str, make: str, named: str
) -> None:
    """A table, whose iteration gives names or columns, is never taken for rows."""
    table = column(package, make)
    async with server.session() as session:
        with pytest.raises(TypeError, match=named):
            stream_prompts(session, table)
    assert not server.requests


async def test_a_dict_is_refused_with_the_mend(server: ScriptedServer) -> None:
    """A dict, of which nobody knows whether keys or values are meant, is not guessed at."""
    async with server.session() as session:
        with pytest.raises(TypeError, match=r"inputs\.values\(\)"):
            stream_prompts(session, {"sku": URLS[0]})
    assert not server.requests


class _Records:
    """What numpy gives for rows of several fields."""

    ndim = 1

    dtype = SimpleNamespace(names=("image", "n"))

    def __iter__(self):
        return iter([(URLS[0], 1)])


class _Scalar:
    """What numpy gives for one value in an array."""

    ndim = 0

    def __iter__(self):
        raise TypeError("iteration over a 0-d array")


@pytest.mark.parametrize(("given", "mend"), [(_Records(), "image"), (_Scalar(), r"\[text\]")])
async def test_an_array_of_records_or_of_none_is_refused(server: ScriptedServer, given, mend):
    """Records are a table, and an array without a dimension is one value: the mend is named."""
    async with server.session() as session:
        with pytest.raises(TypeError, match=mend):
            stream_prompts(session, given)
    assert not server.requests


MISSING = [
    ("pyarrow", "pyarrow.array([URLS[0], None])", "NoneType"),
    ("pandas", "pandas.Series([URLS[0], None], dtype='string')", "NAType"),
    ("pandas", "pandas.Series([URLS[0], None], dtype='category')", "float"),
    ("pandas", "pandas.Series([URLS[0], pandas.NaT], dtype=object)", "NaTType"),
    ("pandas", "pandas.Series([URLS[0], pandas.Timestamp('2024', tz='UTC')])", "Timestamp"),
    ("polars", "polars.Series([URLS[0], None])", "NoneType"),
    ("numpy", "numpy.ma.array(URLS, mask=[0, 1])", "MaskedConstant"),
]


@pytest.mark.parametrize(("package", "make", "kind"), MISSING)
async def test_a_missing_value_of_a_column_fails_alone(
    server: ScriptedServer, package: str, make: str, kind: str
) -> None:
    """An empty cell of a column, or one that is no text, fails its row and no other."""
    values = column(package, make)
    async with server.session() as session:
        answer, error = await gather_prompts(session, values, return_exceptions=True)
    assert isinstance(answer, str)
    assert kind in str(error)

"""A catalog is never taken for a video by what its first line spells."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_kit import Ended

from vimmerse_async.emulator import Emulator


@pytest.mark.parametrize("header", ["sku,free_shipping,image", "a,b,wide,c,d,image"])
@pytest.mark.parametrize("name", ["c.csv", "c.feed"])
def test_a_table_that_spells_an_atom_is_asked_about(
    vimmerse: Callable[..., Ended], place: Path, emulator: Emulator, name: str, header: str
) -> None:
    """A table is read as one, and nothing is uploaded, whatever its header spells."""
    cells = ["x"] * header.count(",")
    (place / name).write_text(f"{header}\n{','.join([*cells, 'https://a.example/1.png'])}\n")
    ended = vimmerse("caption", name, "--column", "image", "-o", "o.csv")
    assert ended.code == 0, ended.err
    assert [seen.route for seen in emulator.requests] == ["/v2/text/prompt"]
    assert (place / "o.csv").read_text().startswith(header)

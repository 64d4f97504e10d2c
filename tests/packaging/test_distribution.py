"""What is built holds everything that is needed, nothing that is not, and is small."""

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "vimmerse_async"
NOT_SHIPPED = (".ci/", ".github/", ".gitignore", ".gitattributes", ".pre-commit-config.yaml")
MOST = 700_000
"""Bytes of the wheel: what it has, and a little. An eighth are the names and sums of 140 files."""

pytestmark = pytest.mark.skipif(not SOURCE.exists(), reason="runs in the source tree only")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT, capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    yield folder
    shutil.rmtree(folder)


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked() -> set[str]:
    found = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip("this is no git work tree")
    return set(found.stdout.splitlines())


def test_the_wheel_is_the_package_and_small(built: Path) -> None:
    """It has every file of the package, with its marker of types and its manual, nothing else."""
    (wheel,) = built.glob("*.whl")
    package = {name for name in tracked() if name.startswith("vimmerse_async/")}
    shipped = names(wheel)
    beside = {name for name in shipped if ".dist-info/" in name or ".data/" in name}
    assert shipped - beside == package
    assert any(name.endswith(".data/data/share/man/man1/vimmerse.1") for name in beside)
    assert "vimmerse_async/py.typed" in shipped
    assert wheel.stat().st_size <= MOST


def test_the_wheel_says_what_it_is(built: Path) -> None:
    """Metadata: dependencies, extras, commands and the licence."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        entries = archive.read(f"{info}/entry_points.txt").decode()
    needed = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert sorted(each.split(">")[0].split("<")[0] for each in needed) == [
        "aiohttp", "anyio", "attrs", "yarl",
    ]  # fmt: skip
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].keys()
    assert set(metadata.get_all("Provides-Extra", [])) == extras
    assert "vimmerse = vimmerse_async.cli:main" in entries
    assert "vimmerse_async.testing.plugin" in entries
    assert f"{info}/licenses/LICENSE" in names(wheel)


def test_the_source_distribution_is_complete(built: Path) -> None:
    """Every tracked file is in it but the configuration of the repository itself."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        shipped = {name.partition("/")[2] for name in files.getnames()}
    wanted = {name for name in tracked() if not name.startswith(NOT_SHIPPED)}
    assert sorted(wanted - shipped) == []


def test_every_public_type_is_known(built: Path, tmp_path: Path) -> None:
    """Pyright knows the type of every symbol that the installed package shows."""
    pytest.importorskip("pyright")
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "others.pth").write_text(str(Path(pytest.__file__).parents[1]))
    bin_ = tmp_path / "venv" / "bin"
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--verifytypes", "vimmerse_async", "--ignoreexternal",
         "--outputjson"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
             "VIRTUAL_ENV": str(bin_.parent)},
    )  # fmt: skip
    found = json.loads(done.stdout)["typeCompleteness"]
    unknown = [
        symbol["name"]
        for symbol in found["symbols"]
        if symbol["isExported"] and (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
    ]
    assert unknown == []
    assert found["exportedSymbolCounts"]["withKnownType"] > 1000

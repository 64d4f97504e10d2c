"""What is built, what it needs, and who may publish it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FLOORS = {
    "aiohttp": "3.14.5",  # smuggling and memory fixes; the private names of the pool
    "yarl": "1.25.1",
    "pillow": "13",  # decompression bombs, WebP's among them
    "anyio": "4.11",  # the tests' `anyio_mode`
    "uvloop": "0.23",  # 0.22 loses a connection whose making is cancelled
    "rich-click": "1.9.9",  # warns of nothing with click 8.5
}
RIGHTS = {"publish": {"id-token"}, "attest": {"id-token", "attestations"}}
CORE = {"aiohttp", "attrs", "anyio", "yarl"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "vimmerse_async").is_dir(), reason="the built wheel is tested without its source"
)


def requirement(line: str) -> tuple[str, str]:
    name, floor = re.match(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", line).groups()
    return name, floor


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def test_the_core_needs_four_packages():
    """Whoever installs the client installs these, and nothing that was added in passing."""
    assert {requirement(line)[0] for line in PROJECT["project"]["dependencies"]} == CORE


def test_every_dependency_has_a_floor():
    """No version with a known hole that matters here can be resolved."""
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [
        *PROJECT["project"]["dependencies"],
        *(line for each in extras.values() for line in each),
    ]
    floors = dict(requirement(line) for line in lines if not line.startswith("vimmerse-async"))
    for name, floor in FLOORS.items():
        assert numbers(floors[name]) >= numbers(floor), name


@pytest.mark.parametrize("name", ["dev.txt", "docs.txt", "tools.txt", "build.txt"])
def test_what_is_installed_is_pinned(name):
    """Each line names one version, and no place that only one machine can reach."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    assert not re.search(r"://|--(index|extra|find|trusted)|file:|@ ", text)
    for line in re.sub(r"\\\n\s+--hash=sha256:[0-9a-f]{64}", "", text).splitlines():
        assert re.match(r"[a-z0-9._-]+==[\w.]+", line), line


def test_what_builds_is_pinned_by_its_bits():
    """Each file that may take part in a release is known by its hash."""
    text = (ROOT / "requirements" / "build.txt").read_text("utf-8")
    for entry in re.split(r"\n(?=\w)", text.strip()):
        assert "--hash=sha256:" in entry
    assert "hatchling==" in text


def build(folder: Path, epoch: str) -> dict[str, str]:
    """Build sdist and wheel from a copy of the source; return the hash of each."""
    source = folder / "source"
    wanted = ["pyproject.toml", "Makefile", "LICENSE", "README.md", "CHANGELOG.md"]
    source.mkdir(parents=True)
    for name in [*wanted, "CONTRIBUTING.md", "SECURITY.md"]:
        shutil.copyfile(ROOT / name, source / name)
    for name in ("vimmerse_async", "requirements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", folder / "built"],
        cwd=source, env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, check=True, capture_output=True,
    )  # fmt: skip
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "built").iterdir())
    }


def test_built_twice_it_is_the_same_to_the_bit(tmp_path):
    """Another folder, another time, the same source: the same sdist and the same wheel."""
    first = build(tmp_path / "one", "1700000000")
    for path in (tmp_path / "one" / "source").rglob("*"):
        os.utime(path, (0, 0))
    second = build(tmp_path / "two" / "deeper", "1700000000")
    assert len(first) == 2
    assert first == second
    assert build(tmp_path / "three", "1600000000").keys() == first.keys()


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    """No test, page or stray file is installed with it, and everything that it needs is."""
    build(tmp_path, "1700000000")
    (wheel,) = (tmp_path / "built").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vimmerse_async"}
    assert {"vimmerse_async/py.typed", "vimmerse_async/emulator/openapi.json"} <= names
    source = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "vimmerse_async").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert source <= names


def steps_of(workflow: Any) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [(name, job, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_do_little(path):
    """It runs pinned actions, keeps no credentials, and has no right that a job does not need."""
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert "pull_request_target" not in text
    assert "secrets." not in text
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for name, job, step in steps_of(workflow):
        assert job["timeout-minutes"] <= 90
        rights = {right for right, kind in job.get("permissions", {}).items() if kind == "write"}
        assert rights <= {"publish": {"id-token"}, "attest": {"id-token", "attestations"}}.get(
            name, set()
        )
        assert "${{" not in step.get("run", "")
        action = step.get("uses")
        if action is not None:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
            assert re.search(rf"{action} # v\d+\.\d+\.\d+", text), action
        if action is not None and action.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_publishes_runs_no_code_of_ours():
    """The job that may speak for the project only hands on what another job has built."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
    for name in ("attest", "publish"):
        assert all("run" not in step for step in workflow["jobs"][name]["steps"])
    assert workflow["jobs"]["publish"]["needs"] == "attest"
    assert workflow["jobs"]["publish"]["environment"] == "pypi"


def test_the_workflow_runs_what_a_contributor_runs():
    """CI and README call the same commands."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    for command in ("make test ", "make lint ", "pip-audit ", "tests/fault_rows.py"):
        assert command in text


def test_floors_and_newest_releases_are_tested():
    """One job runs the tests with the lowest versions that are allowed, one with the newest."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    job = workflow["jobs"]["resolutions"]
    tried = {each["resolution"] for each in job["strategy"]["matrix"]["include"]}
    assert tried == {"lowest-direct", "highest"}
    (step,) = [step for step in job["steps"] if "run" in step]
    assert step["run"].startswith("make test-floors ")
    assert step["env"] == {"RESOLUTION": "${{ matrix.resolution }}"}

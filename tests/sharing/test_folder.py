"""Where the processes of one user meet."""

import asyncio
import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from sharing_kit import KEY

from vimmerse_async.sharing.folder import CannotShareError, find_place, folder_path
from vimmerse_async.sharing.host import HostMeeting, dial

URL = "https://a.example"


def test_a_place_is_private_and_tells_nothing(place: Path) -> None:
    """The folder is the user's alone, and no name in it tells key or address."""
    found = find_place(URL, KEY)
    folder = place / "vimmerse"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert found.folder == folder
    assert find_place(URL, KEY) == found
    assert len({found.name, find_place(URL, KEY + "x").name, find_place(URL + "x", KEY).name}) == 3
    assert sorted(path.name for path in folder.iterdir()) == ["secret"]


def test_another_secret_gives_other_names(
    place: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is of no use for guessing keys without the folder's own secret."""
    name = find_place(URL, KEY).name
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("other")))
    assert find_place(URL, KEY).name != name


def test_many_make_one_secret(place: Path) -> None:
    """Processes that come at once agree on one secret, and leave no draft of another."""
    names: set[str] = set()
    starts = threading.Barrier(8)

    def come() -> None:
        starts.wait()
        names.add(find_place(URL, KEY).name)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 1
    assert [path.name for path in (place / "vimmerse").iterdir()] == ["secret"]


def test_a_broken_secret_is_made_anew(place: Path) -> None:
    """A secret that a full disk left short is replaced by a whole one."""
    find_place(URL, KEY)
    secret = place / "vimmerse" / "secret"
    secret.write_bytes(b"short")
    assert find_place(URL, KEY) == find_place(URL, KEY)
    assert len(secret.read_bytes()) == 32


@pytest.mark.parametrize("fault", ["link", "file", "open", "group"])
def test_an_unsafe_folder_is_refused(place: Path, fault: str) -> None:
    """A link, a file, or a folder that others may enter is no place to meet, and is not changed."""
    folder = place / "vimmerse"
    if fault == "link":
        (place / "real").mkdir(mode=0o700)
        folder.symlink_to(place / "real")
    elif fault == "file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777 if fault == "open" else 0o750)
    with pytest.raises(CannotShareError) as refused:
        find_place(URL, KEY)
    assert refused.value.lasting
    assert KEY not in str(refused.value)
    assert not (folder / "secret").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a folder away")
def test_another_users_folder_is_refused(place: Path) -> None:
    """A folder that somebody else made first is not believed."""
    (place / "vimmerse").mkdir(mode=0o700)
    os.chown(place / "vimmerse", 12345, 12345)
    with pytest.raises(CannotShareError, match="belongs to another user"):
        find_place(URL, KEY)


def test_without_a_login_the_folder_is_in_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container or a cron job has no folder of a login: it is one in the temporary folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    monkeypatch.setattr("vimmerse_async.sharing.folder._RUNTIME", tmp_path / "run")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert folder_path() == tmp_path / f"vimmerse-{os.geteuid()}"


async def test_a_long_path_is_no_matter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder deeper than a socket's address can say is a place like any other."""
    deep = place / ("a" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    meeting = HostMeeting(lambda: find_place(URL, KEY), "about")
    claim = await meeting.claim()
    assert claim is not None
    try:
        assert await meeting.claim() is None
        dial(find_place(URL, KEY)).close()
    finally:
        claim.close()
    with pytest.raises(OSError):
        dial(find_place(URL, KEY))


async def test_a_cleaner_ends_a_claim(place: Path) -> None:
    """Whoever finds its lock or socket gone leads no more: another may hold a new one."""
    meeting = HostMeeting(lambda: find_place(URL, KEY), "about")
    found = find_place(URL, KEY)
    for path in (found.lock, found.socket):
        claim = await meeting.claim()
        assert claim is not None
        assert claim.is_held()
        path.unlink()
        assert not claim.is_held()
        claim.close()


async def test_only_the_holder_that_hangs_is_overthrown(place: Path) -> None:
    """Two that find a leader hanging do not overthrow each other."""
    meeting = HostMeeting(lambda: find_place(URL, KEY), "about")
    hanging = await meeting.claim()
    holder = meeting.holder()
    first = await meeting.overthrow(holder)
    second = await meeting.overthrow(holder)
    assert hanging is not None
    assert first is not None
    assert second is None
    assert not hanging.is_held()
    assert first.is_held()
    hanging.close()
    assert first.is_held()
    first.close()


async def test_a_leader_without_descriptors_waits_for_some(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes while a leader has no descriptor left is let in later, and no loop spins."""
    monkeypatch.setattr("vimmerse_async.sharing.host.REST", 0.05)
    meeting = HostMeeting(lambda: find_place(URL, KEY), "about")
    claim = await meeting.claim()
    assert claim is not None
    came: list[object] = []
    tried: list[int] = []
    accept = claim._listener.accept

    class Listener:
        def __getattr__(self, name: str) -> object:
            return getattr(listener, name)

        def accept(self) -> object:
            tried.append(1)
            if len(tried) < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return accept()

    listener = claim._listener
    claim._listener = Listener()  # type: ignore[assignment]
    claim.open(lambda make: came.append(make(lambda _records: None, lambda: None)))
    sock = dial(find_place(URL, KEY))
    async with asyncio.timeout(5):
        while not came:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert len(tried) == 3
    for stream in came:
        stream.close()  # type: ignore[attr-defined]
    sock.close()
    claim.close()

"""An interpreter that has imported everything once: each program of a page is a fork of it.

What a page types is typed all the same: `vimmerse` and `python` on the PATH are small programs
that pass their arguments, folder, variables and descriptors on, and end as the fork ends.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

IMPORTED = (
    "aiohttp.web", "anyio._backends._asyncio", "asyncio", "attrs", "mcp.client", "mcp.server",
    "msgspec", "cattrs", "fastapi", "fastapi.testclient", "PIL.Image", "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin", "pytest", "rich.live", "rich.markdown", "rich.table", "rich_click",
    "sqlite3", "trustme", "uvicorn", "vcr", "vimmerse_async.catalog", "vimmerse_async.cli.app",
    "vimmerse_async.emulator", "vimmerse_async.testing.plugin",
)  # fmt: skip
"""What programs of the pages import; one that is missing here costs time only."""

CALLER = """
    #!{python} -IES
    import json, os, signal, socket, sys
    with socket.socket(socket.AF_UNIX) as line:
        line.connect({address!r})
        socket.send_fds(line, [b"+"], [0, 1, 2])
        told = {{"argv": [{name!r}, *sys.argv[1:]], "folder": os.getcwd(), "env": dict(os.environ)}}
        line.sendall(json.dumps(told).encode())
        line.shutdown(socket.SHUT_WR)
        answers = line.makefile()
        pid = int(answers.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: os.kill(pid, number))
        os._exit(int(answers.readline() or 70))
"""


@contextmanager
def warm_interpreter(folder: Path) -> Iterator[Path]:
    """Yield a folder to be put before the PATH."""
    address = folder / "socket"
    server = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.DEVNULL)
    names = folder / "bin"
    names.mkdir()
    for name in ("vimmerse", "python"):
        source = CALLER.format(python=sys.executable, address=str(address), name=name)
        (names / name).write_text(textwrap.dedent(source).lstrip())
        (names / name).chmod(0o755)
    try:
        while not address.exists():
            assert server.poll() is None, "the interpreter did not start"
            time.sleep(0.01)
        yield names
    finally:
        server.terminate()
        server.wait()


def serve(address: str) -> None:
    """Fork for each caller, until a signal ends it."""
    for name in IMPORTED:
        try:
            import_module(name)
        except ImportError:
            continue
    signal.signal(signal.SIGCHLD, reap)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen(64)
        Path(f"{address}.new").rename(address)  # who sees it can connect
        while True:
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                attend(line)
            line.close()


def reap(_number: int, _frame: object) -> None:
    """Take note of the forks that have ended."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def attend(line: socket.socket) -> None:
    """Run one program in a fork, and tell its caller who it is and how it ended."""
    _, descriptors, _, _ = socket.recv_fds(line, 1, 3)
    with line.makefile("rb") as told:
        program = json.loads(told.read())
    pid = os.fork()
    if pid == 0:
        line.close()
        become(program, descriptors)
    line.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    line.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) & 255))
    os._exit(0)


def become(program: dict[str, Any], descriptors: list[int]) -> None:
    """Run as a program that was started would: its folder, variables, descriptors, arguments."""
    code = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(program["folder"])
        os.environ.clear()
        os.environ.update(program["env"])
        name, *words = program["argv"]
        code = run_vimmerse(words) if name == "vimmerse" else run_python(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - shown, as at the end of any program
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run_vimmerse(words: list[str]) -> int:
    """Run the command as its script does."""
    from vimmerse_async.cli import main

    sys.argv = ["vimmerse", *words]
    return main() or 0


def run_python(words: list[str]) -> int:
    """Run what `python` was given: `-W ACTION`, then `-c CODE`, `-m MODULE` or a file."""
    while words[0] == "-W":
        warnings.simplefilter(words[1])  # type: ignore[arg-type]
        sys.warnoptions.append(words[1])
        words = words[2:]
    if words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    elif words[0] == "-m":
        sys.argv, sys.path[0] = words[1:], ""
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])

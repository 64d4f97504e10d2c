"""Processes of an account, forked in milliseconds from one that has everything imported.

Each line of JSON is a member's job (`benchmarks.sharing.member`); the process id is printed. What
the member finds is written to the file that the job names, on one line.
"""

import asyncio
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.sharing.member import work


def run(job: dict[str, Any]) -> None:
    os.environ["XDG_RUNTIME_DIR"] = job["folder"]
    logging.basicConfig(filename=f"{job['report']}.log", level=logging.INFO, format="%(message)s")
    found = (uvloop.run if job.get("loop") == "uvloop" else asyncio.run)(work(job))
    draft = Path(f"{job['report']}.draft")
    draft.write_text(json.dumps(found))
    draft.rename(job["report"])


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            status = 70
            try:
                run(json.loads(line))
                status = 0
            except BaseException:  # noqa: BLE001 - whatever it is, it is told
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            time.sleep(0)


if __name__ == "__main__":
    main()

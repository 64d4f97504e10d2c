"""The server that benchmarks ask: nginx on the last core when it is installed, else our own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fast_server import BODY, fast_server

CONFIG = """
daemon off; worker_processes 1; worker_cpu_affinity {mask}; pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
}}
"""


def pin(core: int) -> None:
    """Keep this process on a core, where that can be done."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Run the server; give its name and its origin."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if binary is None:
        with fast_server() as origin:
            yield "our own (nginx is not installed)", origin
        return
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        mask = f"{1 << max(0, (os.cpu_count() or 1) - 1):b}"
        config = Path(name) / "nginx.conf"
        config.write_text(CONFIG.format(folder=name, port=port, mask=mask, body=BODY.decode()))
        process = subprocess.Popen([binary, "-p", name, "-c", str(config), "-e", "stderr"])
        try:
            _wait_for(port)
            yield "nginx", f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx did not start")

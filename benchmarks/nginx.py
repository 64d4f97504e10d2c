"""nginx with one limit for each server, before an upstream that has none."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import attrs

HTTP = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  log_format seen '$status $http_x_client_type';
  limit_req_zone $http_x_api_key zone=rate:1m rate={rate}r/s;
  limit_conn_zone $http_x_api_key zone=window:1m;
  limit_req_status 429; limit_conn_status 429; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream work {{ server {upstream}; keepalive 512; }}
  {servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} backlog=4096; access_log {log} seen;
    location / {{
      {limit}
      proxy_pass http://work; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
"""


@attrs.frozen
class Limited:
    """One server.

    Attributes:
        limit: What limits it, as nginx has it.
        port: Where it listens.
        log: A line for each request: status and client.
    """

    limit: str
    port: int
    log: Path


def command(folder: Path, rate: int, upstream: str, servers: Iterable[Limited]) -> list[str]:
    """Write a configuration and return what runs it.

    Raises:
        SystemExit: nginx is not installed.
    """
    binary = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt-get install nginx-light)")
    blocks = [SERVER.format(port=each.port, log=each.log, limit=each.limit) for each in servers]
    config = folder / "nginx.conf"
    config.write_text(
        HTTP.format(folder=folder, rate=rate, upstream=upstream, servers="".join(blocks))
    )
    return [binary, "-p", str(folder), "-c", str(config), "-e", "stderr"]

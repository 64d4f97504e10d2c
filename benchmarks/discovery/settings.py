"""How each gateway is set and started, in its own language."""

import json
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = Path(sys.executable).parent
"""Where PyPI's packages put their programs."""

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000; {zone}
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream slow {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    {rule}
    proxy_pass http://slow; proxy_http_version 1.1; proxy_set_header Connection "";
  }} }}
}}
"""
REQ = "limit_req_zone $http_x_api_key zone=z:1m rate=20r/s; limit_req_status {status};"
CONN = "limit_conn_zone $http_x_api_key zone=z:1m; limit_conn_status {status};"

HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout queue 1s
  timeout tarpit 2s
frontend in
  bind 127.0.0.1:{port}
  stick-table type string len 64 size 1k expire 60s store http_req_rate(10s)
  http-request track-sc0 req.hdr(x-api-key)
  {rule}
  default_backend slow
backend slow
  server one 127.0.0.1:{upstream} {server}
"""
DENY = "http-request {verb} deny_status {{status}} if {{{{ sc_http_req_rate(0) gt 200 }}}}"

VARNISH = """
vcl 4.1;
{head}
backend slow {{ .host = "127.0.0.1"; .port = "{upstream}"; {backend} }}
sub vcl_recv {{ {rule} return (pass); }}
"""
THROTTLED = """
if (vsthrottle.is_denied(req.http.x-api-key, 200, 10s)) { return (synth(429)); }
"""
BLOCKED = THROTTLED.replace("10s", "10s, 10s")

CADDY = """
{{
  admin off
  auto_https off
  persist_config off
  storage file_system {folder}
}}
http://127.0.0.1:{port} {{
  reverse_proxy 127.0.0.1:{upstream} {{
    unhealthy_request_count 8
    {rule}
  }}
}}
"""

TRAEFIK = """
entryPoints: {{in: {{address: "127.0.0.1:{port}"}}}}
providers: {{file: {{filename: "{folder}/rules.yaml"}}}}
"""

APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LogLevel crit
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
{rule}
ProxyPass / http://127.0.0.1:{upstream}/ keepalive=On
"""
QOS = """
LoadFile {library}/libpcre.so.3
LoadModule qos_module {modules}/mod_qos.so
QS_LocRequestLimit / 8
QS_ErrorResponseCode {status}
"""
QOS_CLIENT = """
LoadFile {library}/libpcre.so.3
LoadModule qos_module {modules}/mod_qos.so
QS_SrvMaxConnPerIP 8
"""
EVASIVE = """
LoadModule evasive20_module {modules}/mod_evasive20.so
DOSHashTableSize 97
DOSPageCount 20
DOSPageInterval 1
DOSSiteCount 1000
DOSSiteInterval 1
DOSBlockingPeriod 10
DOSLogDir {folder}
DOSHTTPResponseCode {status}
"""
MODULES = "/usr/lib/apache2/modules"
LIBRARY = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH') or 'x86_64-linux-gnu'}"

Command = Callable[[Path, int, int, int | str], list[str]]
"""From a folder, the gateway's port, the upstream's and what a refusal is called."""


def _written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def nginx(zone: str, rule: str) -> Command:
    def command(folder: Path, port: int, upstream: int, status: int | str) -> list[str]:
        said = zone.format(status=status)
        text = NGINX.format(folder=folder, port=port, upstream=upstream, zone=said, rule=rule)
        config = _written(folder, "nginx.conf", text)
        return ["nginx", "-p", str(folder), "-c", config, "-e", "stderr"]

    return command


def haproxy(rule: str = "", server: str = "") -> Command:
    def command(folder: Path, port: int, upstream: int, status: int | str) -> list[str]:
        said = rule.format(status=status)
        text = HAPROXY.format(port=port, upstream=upstream, rule=said, server=server)
        return ["haproxy", "-db", "-q", "-f", _written(folder, "haproxy.cfg", text)]

    return command


def varnish(backend: str = "", rule: str = "") -> Command:
    def command(folder: Path, port: int, upstream: int, _: int | str) -> list[str]:
        head = "import vsthrottle;" if rule else ""
        text = VARNISH.format(upstream=upstream, backend=backend, head=head, rule=rule)
        config = _written(folder, "gateway.vcl", text)
        listen = ["-a", f"127.0.0.1:{port}", "-T", "none", "-n", str(folder / "work")]
        return ["varnishd", "-F", "-j", "none", *listen, "-f", config, "-s", "malloc,16m"]

    return command


def apache(rule: str) -> Command:
    def command(folder: Path, port: int, upstream: int, status: int | str) -> list[str]:
        said = rule.format(modules=MODULES, library=LIBRARY, status=status, folder=folder)
        text = APACHE.format(
            folder=folder, port=port, upstream=upstream, modules=MODULES, rule=said
        )
        return ["apache2", "-DFOREGROUND", "-f", _written(folder, "apache.conf", text)]

    return command


def caddy(rule: str = "") -> Command:
    def command(folder: Path, port: int, upstream: int, _: int | str) -> list[str]:
        text = CADDY.format(folder=folder, port=port, upstream=upstream, rule=rule)
        config = _written(folder, "Caddyfile", text)
        return [str(SCRIPTS / "caddy"), "run", "--adapter", "caddyfile", "--config", config]

    return command


def traefik(limit: dict[str, object]) -> Command:
    def command(folder: Path, port: int, upstream: int, _: int | str) -> list[str]:
        servers = [{"url": f"http://127.0.0.1:{upstream}"}]
        router = {"rule": "PathPrefix(`/`)", "service": "slow", "middlewares": ["limit"]}
        rules = {
            "routers": {"all": router},
            "middlewares": {"limit": limit},
            "services": {"slow": {"loadBalancer": {"servers": servers}}},
        }
        _written(folder, "rules.yaml", json.dumps({"http": rules}))
        config = _written(folder, "traefik.yaml", TRAEFIK.format(folder=folder, port=port))
        return [str(SCRIPTS / "traefik"), f"--configFile={config}"]

    return command


def node(name: str, *limit: int) -> Command:
    return lambda _folder, port, _upstream, _status: [
        "node", str(HERE / "npm" / "limited.cjs"), name, str(port), *map(str, limit)
    ]  # fmt: skip


def package(name: str, *limit: str) -> Command:
    return lambda _folder, port, _upstream, status: [
        sys.executable, str(HERE / "limited.py"), name, str(port), str(status), *limit
    ]  # fmt: skip

#!/usr/bin/env bash
# pook goes on mocking after a `with pook.use():` whose block raised: the next tests meet its mocks, not their servers.
#
# One failing test so makes every later one of the process fail with PookNoMatches, whichever client it uses; a block that ends well switches it off. Where it matters: in a suite beside this package, whose requests pook sees as those of any program; `pook.off()` in a fixture that always runs mends it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet pook==2.1.6
venv/bin/pip list 2>/dev/null | grep -E '^pook '
venv/bin/python - <<'PYTHON'
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

import pook


class Real(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"real")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Real)
threading.Thread(target=server.serve_forever, daemon=True).start()


def ask():
    try:
        return urlopen(f"http://127.0.0.1:{server.server_port}/").read().decode()
    except Exception as error:
        return type(error).__name__


seen = {"before": ask()}
with pook.use():
    pook.get("http://a.example/").reply(200)
seen["after a block that ended well"] = ask()
with suppress(ValueError), pook.use():
    pook.get("http://a.example/").reply(200)
    raise ValueError("a test fails")
seen["after a block that raised"] = ask()
pook.off()
seen["after pook.off()"] = ask()
for when, answer in seen.items():
    print(f"{when}: {answer}")
assert [*seen.values()] == ["real", "real", "PookNoMatches", "real"]
PYTHON
# Seen:
#   pook 2.1.6
#   before: real
#   after a block that ended well: real
#   after a block that raised: PookNoMatches
#   after pook.off(): real

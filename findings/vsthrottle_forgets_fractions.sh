#!/usr/bin/env bash
# Varnish's vsthrottle gives nothing back to who asks a little faster than its rate: a burst of 40 is gone after 40 requests.
#
# Each request that it lets in brings the tokens of the time since the last one, cut to whole ones, and the rest is forgotten. With 40 per 2 s a token takes 50 ms, so that at 25 requests a second none ever comes until all are spent; the token bucket of a textbook loses five a second then, and lasts for 200 requests. Where it matters: such a gateway refuses, and with a block shuts out, much sooner than its figures say; this package goes on below the pace that was refused, where each pause is worth a token.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
apt-get download --quiet=2 varnish=7.1.1-2+deb12u1 varnish-modules=0.20.0-2 libjemalloc2=5.3.0-1 2>/dev/null
for package in varnish*.deb libjemalloc*.deb; do dpkg-deb -x "$package" .; done
for package in varnish*.deb; do dpkg-deb -W --showformat '${Package} ${Version}\n' "$package"; done
library=$(echo "$folder"/usr/lib/*-linux-gnu)
cat > gateway.vcl <<'VCL'
vcl 4.1;
import vsthrottle;
backend default none;
sub vcl_recv {
  if (vsthrottle.is_denied(req.http.key, 40, 2s)) { return (synth(429)); }
  return (synth(200));
}
VCL
LD_LIBRARY_PATH=$library python3 - "$folder" "$library" <<'PYTHON'
import http.client
import socket
import subprocess
import sys
import time

folder, library = sys.argv[1:]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
varnish = subprocess.Popen(
    [f"{folder}/usr/sbin/varnishd", "-F", "-j", "none", "-n", f"{folder}/work", "-T", "none",
     "-a", f"127.0.0.1:{port}", "-f", f"{folder}/gateway.vcl", "-s", "malloc,16m",
     "-p", f"vmod_path={library}/varnish/vmods"],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)


def granted(per_second, most):
    """Ask at an even pace until something is refused, and return how many were let in."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    client.connect()
    turn = time.monotonic()
    for number in range(most):
        time.sleep(max(0.0, turn - time.monotonic()))
        turn = max(turn, time.monotonic() - 0.002) + 1 / per_second
        client.request("GET", "/", headers={"key": str(per_second)})
        answer = client.getresponse()
        answer.read()
        if answer.status == 429:
            return number
    return most


try:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.1)
    calm, eager = granted(19, 150), granted(25, 190)
finally:
    varnish.terminate()
    varnish.wait()
print(f"40 per 2 s, asked 19 times a second: {calm} of 150 let in, none refused")
print(f"40 per 2 s, asked 25 times a second: refused after {eager // 10 * 10} and some, not after 200")
assert calm == 150
assert 40 <= eager < 80
PYTHON
# Seen:
#   varnish-modules 0.20.0-2
#   varnish 7.1.1-2+deb12u1
#   40 per 2 s, asked 19 times a second: 150 of 150 let in, none refused
#   40 per 2 s, asked 25 times a second: refused after 40 and some, not after 200

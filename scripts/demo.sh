#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two peers find each other through a signaling server, all on this machine, and show the time of each step.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=build/bin/rmrtc
tmp=$(mktemp -d)
pids=()
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$tmp"
}
trap cleanup EXIT

"$tool" signal --listen 127.0.0.1:0 > "$tmp/signal" &
pids+=($!)
for _ in $(seq 100); do grep -q listening "$tmp/signal" && break; sleep 0.05; done
url=$(sed -n 's/^listening on //p' "$tmp/signal")
[ -n "$url" ] || { echo "demo: the signaling server did not start" >&2; exit 1; }
echo "1. signaling server:  rmrtc signal              -> $url"
echo "2. first peer:        rmrtc join $url --peer-id alice"
"$tool" join "$url" --peer-id alice > "$tmp/alice" &
pids+=($!)
for _ in $(seq 100); do grep -q "signaling ready" "$tmp/alice" && break; sleep 0.05; done
echo "3. second peer:       rmrtc join $url --peer-id bob"
echo
code=0
"$tool" join "$url" --peer-id bob --until-connected 1 --duration "${DURATION:-20}" > "$tmp/bob" || code=$?
grep -E '^alice +connected ' "$tmp/bob" | sed 's/^/   bob sees    /'
grep -E '^bob +connected ' "$tmp/alice" | head -n 1 | sed 's/^/   alice sees  /' || true
echo
if [ "$code" = 0 ]; then
    echo "Both peers are connected: ICE found a path, DTLS verified the certificates, SRTP has its keys."
    echo "Times are milliseconds from the moment signaling was ready. Try it yourself: the three commands above in three terminals."
else
    echo "demo: the peers did not connect" >&2
    cat "$tmp/bob" >&2
fi
exit "$code"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Server mode: `rmrtc serve` against a client in the dialect of RemoteMedia's SDK (aiortc, Debian package python3-aiortc).
# Environment: RMRTC (build/bin/rmrtc), RM_INTEROP_REQUIRED.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc serve
# Debian's python by its path: another python3 may come first and not have the package.
/usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip_all serve "Debian package python3-aiortc is not installed"
"$RMRTC" serve "$here/../../examples/pipelines/echo.yaml" --listen 127.0.0.1:0 --max-peers 3 >"$tmp/serve" \
    2>"$tmp/serve.err" </dev/null &
server=$!
pids+=("$server")
wait_for 5 grep -q listening "$tmp/serve" || {
    echo "not ok serve: rmrtc serve does not listen: $(cat "$tmp/serve.err")"
    exit 1
}
url=$(sed -n 's/^listening on //p' "$tmp/serve")
PYTHONDONTWRITEBYTECODE=1 timeout -k 2 150 /usr/bin/python3 "$here/aiortc_serve_peer.py" "$url" </dev/null || {
    failed=1
    echo "# rmrtc: $(tail -n 5 "$tmp/serve" | tr '\n' ';') $(tail -n 3 "$tmp/serve.err" | tr '\n' ';')"
}
kill -INT "$server"
wait_for 5 test ! -d "/proc/$server" || true # a zombie until it is waited for
wait "$server"
code=$?
if [ "$code" = 0 ]; then ok serve-ends-cleanly; else not_ok serve-ends-cleanly "exit code $code"; fi
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Server mode: `rmrtc serve` against a client in the dialect of RemoteMedia's SDK (aiortc, Debian package python3-aiortc).
# Environment: RMRTC (build/bin/rmrtc), RM_INTEROP_REQUIRED.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc serve
# Debian's python by its path: another python3 may come first and not have the package.
/usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip_all serve "Debian package python3-aiortc is not installed"
start_serve --max-peers 3
PYTHONDONTWRITEBYTECODE=1 timeout -k 2 150 /usr/bin/python3 "$here/aiortc_serve_peer.py" "$url" </dev/null || {
    failed=1
    echo "# rmrtc: $(tail -n 5 "$tmp/serve" | tr '\n' ';') $(tail -n 3 "$tmp/serve.err" | tr '\n' ';')"
}
kill -INT "$serve_pid"
wait "$serve_pid"
code=$?
if [ "$code" = 0 ]; then ok serve-ends-cleanly; else not_ok serve-ends-cleanly "exit code $code"; fi
exit "$failed"

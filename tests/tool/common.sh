# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the tool, which have its path as $1: a temporary directory to work in, processes that end with
# the script, and what went wrong.
set -euo pipefail
rmrtc=$1
tmp=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$tmp"
}
trap finish EXIT

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    for f in ./*.out ./*.err; do echo "--- $f" >&2; tail -n 20 "$f" | cut -c 1-2000 >&2; done
    exit 1
}
await() { # FILE PATTERN
    for _ in $(seq 600); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    fail "$1 never had: $2"
}
start_signal() { # sets url
    "$rmrtc" signal --listen 127.0.0.1:0 >signal.out 2>signal.err &
    pids+=($!)
    await signal.out 'ws://'
    url=$(grep -o 'ws://[^ ]*' signal.out | head -n 1)
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc load: all are connected with all and hear one another; who cannot join is told of, and the exit code says so.
#   load_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"

# Without URL, with sound and pictures.
"$rmrtc" load --peers 4 --publish test --duration 3 --ramp 20 --json >all.out 2>all.err || fail "load: exit code $?"
[ "$(grep -c '"peer_id"' all.out)" = 4 ] || fail "not a line for each"
[ "$(grep -c '"connections":3,"expected":3' all.out)" = 4 ] || fail "somebody is not connected with all"
[ "$(grep -c '"audio_age_ms":{"n":[1-9].*"video_age_ms":{"n":[1-9].*"last_error":null' all.out)" = 4 ] ||
    fail "somebody heard or saw nothing"
tail -n 1 all.out | grep -q '"totals":true,"peers":4,"pairs":6,"pairs_expected":6,' || fail "totals"

# At a server, in a room of its own, without media; a table for people.
"$rmrtc" signal --listen 127.0.0.1:0 --max-peers 3 >signal.out 2>signal.err &
pids+=($!)
await signal.out 'ws://'
url=$(grep -o 'ws://[^ ]*' signal.out | head -n 1)
"$rmrtc" load "$url" --room other --peers 3 --duration 1 >table.out 2>table.err || fail "load URL: exit code $?"
[ "$(grep -c ' 2/2 ' table.out)" = 3 ] || fail "table"
grep -q '^3 of 3 pairs connected; CPU [0-9]* % of a core, [0-9]* MB' table.out || fail "totals of the table"

# One too many for the room.
code=0
"$rmrtc" load "$url" --peers 4 --duration 1 >full.out 2>full.err || code=$?
[ "$code" = 1 ] || fail "a full room: exit code $code"
grep -q '^[0-3] of 6 pairs connected' full.out || fail "a full room: totals"
grep -q 'load-.*: RM_E_SESSION_LIMIT' full.err || fail "a full room: no reason"

for args in "--peers 0" "--peers 65" "--size 11x7" "--fps 0" "ws://a ws://b" "http://x" "--nonsense"; do
    code=0
    # shellcheck disable=SC2086
    "$rmrtc" load $args >bad.out 2>bad.err || code=$?
    [ "$code" = 2 ] && [ -s bad.err ] && [ ! -s bad.out ] || fail "load $args: exit code $code"
done
echo "load_test: ok"

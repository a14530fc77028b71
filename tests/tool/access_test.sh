#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc join --max-peers, --allow-peers, --deny-peers: who is refused is told why, and leaves with that.
#   access_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"
refused() { # NAME ERROR: it joins, fails with the host, and says so
    "$rmrtc" join "$url" --peer-id "$1" --no-video --duration 3 >"$1.out" 2>"$1.err" && fail "$1 was connected"
    grep -q "host .*failed.*$2" "$1.out" || fail "$1 was not told $2"
}

start_signal

"$rmrtc" join "$url" --peer-id host --no-video --max-peers 1 --allow-peers friend,second,other --deny-peers other \
    >host.out 2>host.err &
pids+=($!)
await host.out 'signaling ready'
refused other RM_E_DENIED
refused stranger RM_E_DENIED
"$rmrtc" join "$url" --peer-id friend --no-video --max-peers 1 --duration 60 >friend.out 2>friend.err &
pids+=($!)
await friend.out 'host  *connected'
refused second RM_E_LIMIT

faulty() { # FIELD OPTION VALUE
    local code=0
    "$rmrtc" join "$url" "$2" "$3" >bad.out 2>bad.err || code=$?
    [ "$code" = 2 ] || fail "$2 $3: exit code $code"
    grep -q -e "$1" bad.err || fail "$2 $3: its fault is not named"
}
faulty --max-peers --max-peers 65
faulty 'allowed_peers: entry 2' --allow-peers a,,b
faulty 'denied_peers: entry 1' --deny-peers ,
echo "access_test: ok"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc join --receive: what is not taken does not come; small pictures come small.
#   receive_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"

start_signal
"$rmrtc" join "$url" --peer-id host --publish test --size 640x360 --fps 15 >host.out 2>host.err &
pids+=($!)
await host.out 'signaling ready'
join_for() { # NAME SECONDS ARGS...
    local name=$1 seconds=$2
    shift 2
    "$rmrtc" join "$url" --peer-id "$name" --allow-peers host --duration "$seconds" --json "$@" >"$name.out" 2>"$name.err" ||
        fail "$name was not connected"
}
of() { # NAME MEMBER: of its last report, what came from the host; 0: nothing
    jq -rs "[.[] | select(.peers[0].media)] | last | .peers[0].media.$2 // 0" "$1.out"
}
join_for sound 4 --receive audio
[ "$(of sound video_in.frames)" = 0 ] || fail "sound: pictures were decoded"
[ "$(of sound audio_in.frames)" -gt 0 ] || fail "sound: there was none"
join_for none 3 --receive none
[ "$(of none video_in.frames)$(of none audio_in.frames)" = 00 ] || fail "none: something was decoded"
join_for small 6 --receive all,180p
[ "$(of small video_in.width)" = 320 ] || fail "small: pictures are $(of small video_in.width) wide"
[ "$(of small audio_in.frames)" -gt 0 ] || fail "small: there was no sound"

for bad in some all, all,20p all,180 audio,180px; do
    code=0
    "$rmrtc" join "$url" --receive "$bad" >bad.out 2>bad.err || code=$?
    [ "$code" = 2 ] || fail "--receive $bad: exit code $code"
    grep -q -e "--receive: \"$bad\"" bad.err || fail "--receive $bad: its fault is not named"
done
echo "receive_test: ok"

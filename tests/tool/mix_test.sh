#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc join --mix: a listener hears the speaker and what the mixer sends itself, the speaker does not hear itself, and
# the mixer has the sum. Told by the markers in test sound, which have an age where they are heard.
#   mix_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"
start_signal

join() { # NAME OPTIONS...
    local name=$1
    shift
    "$rmrtc" join "$url" --peer-id "$name" --room "$room" --no-video --json "$@" >"$name.out" 2>"$name.err" &
    pids+=($!)
}
heard() { # NAME: times that a marker was heard, so far
    grep -o '"audio_age_ms": *{"n": *[0-9]*' "$1.out" | tail -n 1 | grep -o '[0-9]*$' || echo 0
}
await_markers() { # NAME
    for _ in $(seq 600); do
        [ "$(heard "$1")" -gt 5 ] && return
        sleep 0.1
    done
    fail "$1 heard no marker"
}

room=speaks
join mixer --mix
await mixer.out '"ready"'
join speaker --publish test --allow-peers mixer
join listener --allow-peers mixer
await_markers listener
await_markers mixer
sleep 1
[ "$(heard speaker)" = 0 ] || fail "the speaker heard itself $(heard speaker) times"
grep -q '"connected"' listener.out || fail "the listener does not know the mixer"

# Its own source is for all.
room=own
join host --mix --publish test
await host.out '"ready"'
join guest --allow-peers host
await_markers guest
await_markers host

# A faulty pipeline is refused, with its place.
printf '{"version":"v1","metadata":{"name":"x"},"nodes":[{"id":"m","node_type":"AudioMixerNod"}],"connections":[]}' >bad.json
"$rmrtc" join "$url" --mix --pipeline bad.json --duration 1 >bad.out 2>bad.err && fail "a faulty pipeline was taken"
grep -q AudioMixerNode bad.err || fail "its fault is not named"
echo "mix_test: ok"

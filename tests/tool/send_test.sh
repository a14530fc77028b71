#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc send and rmrtc join --save-files, --echo: files whole or not at all, messages counted, reasons told.
#   send_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"
mkdir saved other

start_signal
"$rmrtc" join "$url" --peer-id store --save-files saved --save-max 100 --echo --json >store.out 2>store.err &
store=$!
pids+=($store)
"$rmrtc" join "$url" --peer-id plain --json >plain.out 2>plain.err &
pids+=($!)
send() { "$rmrtc" send --timeout 20 "$url" "$@"; }

# Messages, and what is no JSON.
send store --text 'hello' 2>text.err || fail "text"
send store --json '{"a":1}' --count 500 2>json.err || fail "json"
send store --text 'raw' --channel notes --count 500 2>raw.err || fail "a channel"
! send store --json '{' 2>bad.err || fail "bad JSON was sent"
grep -q RM_E_PARSE bad.err || fail "no reason: $(cat bad.err)"

# Files: empty, small, of odd size, many pieces; the last twice at once under other names.
: >empty
printf x >one
head -c 1000003 /dev/urandom >odd.bin
head -c 30000000 /dev/urandom >large.bin
cp large.bin 'and too.bin'
for f in empty one odd.bin; do
    send store --file "$f" 2>"$f.err" || fail "$f"
    cmp "$f" "saved/$f" || fail "$f differs"
done
send store --file large.bin 2>large.err &
first=$!
send store --file 'and too.bin' --mime audio/x-raw 2>second.err || fail "the second of two"
wait $first || fail "the first of two"
cmp large.bin saved/large.bin || fail "large.bin differs"
cmp large.bin 'saved/and too.bin' || fail "and too.bin differs"
grep -q '100 %' large.err || fail "no progress"
grep -q 'audio/x-raw' store.err || fail "no type"

# Refused: there already (and left alone), too large, nobody to store it, no such peer, no such file.
printf y >one
! send store --file one 2>again.err || fail "a file was replaced"
grep -q RM_E_EXISTS again.err || fail "no reason: $(cat again.err)"
[ "$(cat saved/one)" = x ] || fail "a file was changed"
truncate -s 100000001 huge.bin
! send store --file huge.bin 2>huge.err || fail "too large a file was taken"
grep -q RM_E_TOO_BIG huge.err || fail "no reason: $(cat huge.err)"
! send nobody --text x --timeout 1 2>nobody.err || fail "nobody answered"
grep -q RM_E_PEER_NOT_FOUND nobody.err || fail "no reason: $(cat nobody.err)"
! send store --file missing 2>missing.err || fail "a missing file was sent"
cp one .hidden
! send store --file .hidden 2>hidden.err || fail "an unsafe name was sent"
! send plain --file one --timeout 2 2>plain-send.err || fail "a peer without --save-files confirmed a file"
set +e
send store --file one --text x 2>/dev/null
[ $? = 2 ] || fail "two things at once"
set -e

# A sender that goes away leaves nothing behind; so does a receiver that ends.
truncate -s 90000000 slow.bin
"$rmrtc" send "$url" store --file slow.bin 2>gone.err & # not by the function: its process is to be killed
gone=$!
for _ in $(seq 600); do
    ls -A saved | grep -q 'slow.bin.*part' && break
    sleep 0.01
done
kill -9 $gone 2>/dev/null || true
wait $gone 2>/dev/null || true
for _ in $(seq 600); do
    ls -A saved | grep -q part || break
    sleep 0.05
done
! ls -A saved | grep -q part || fail "an unfinished file was left: $(ls -A saved)"
kill -INT $store
wait $store || fail "rmrtc join failed"
[ "$(ls -A saved | grep -vc slow)" = 5 ] || fail "not five files: $(ls -A saved)"
echo "files and messages are delivered, or the reason is told"

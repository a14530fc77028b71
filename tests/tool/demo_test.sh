#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: demo_test.sh RMRTC ROOT. `rmrtc demo`: two at the same time, an interrupted one, and one that loses a process. Whether
# figures are within their limits is not judged here: other tests may share the machine.
set -uo pipefail
rmrtc=$1
cd "$2" || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
expect() {
    local what=$1
    shift
    "$@" || { echo "FAIL: $what"; failed=1; }
}
await() { # seconds, command: until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
begin() { # name, options
    local name=$1
    shift
    "$rmrtc" demo --output "$tmp/$name" "$@" >"$tmp/$name.out" 2>"$tmp/$name.err" &
    pid=$!
}
child() { # pid of `rmrtc demo`, what its command line has
    for process in /proc/[0-9]*; do
        local line
        [ -r "$process/cmdline" ] && line=$(cat "$process/cmdline" 2>/dev/null | tr '\0' ' ') || continue
        [ "$(sed 's/.*) . \([0-9]*\) .*/\1/' "$process/stat" 2>/dev/null)" = "$1" ] && [[ $line == *"$2"* ]] &&
            basename "$process" && return 0
    done
    return 1
}
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }
figure() { grep -Eq "^$2 .* [0-9.]+( ms| %| MB)? .*(pass|FAIL)" "$tmp/$1.out"; }
ended() { ! kill -0 "$1" 2>/dev/null; }

begin one --duration 8
one=$pid
begin two --duration 8 --video-codec vp8
two=$pid
wait "$one" "$two"
for name in one two; do
    for id in SC-001 SC-002 SC-003 SC-005 SC-006 SC-006b SC-007; do expect "$name: no $id" figure $name $id; done
    expect "$name: demo-before.png" is_png "$tmp/$name/demo-before.png"
    expect "$name: demo-after.png" is_png "$tmp/$name/demo-after.png"
    expect "$name: no table" grep -q "^there and back:  picture p50 [0-9]" "$tmp/$name.out"
    expect "$name: no time of encoding sound" grep -Eq "^sound   there +- +[0-9]+\.[0-9]" "$tmp/$name.out"
    expect "$name: no address of the page" grep -Eq "^  page +http://127.0.0.1:[0-9]+/\?room=demo" "$tmp/$name.out"
    expect "$name: a line too wide" [ "$(wc -L <"$tmp/$name.out")" -le 100 ]
    expect "$name: messages" [ ! -s "$tmp/$name.err" ]
    tail -n 14 "$tmp/$name.out"
done
expect "VP8 was not sent" grep -q "camera -> blur   VP8" "$tmp/two.out"
expect "the pictures are the same" [ "$(sha256sum <"$tmp/one/demo-before.png")" != "$(sha256sum <"$tmp/one/demo-after.png")" ]

begin interrupted --duration 60
expect "no table to interrupt" await 30 grep -q "there and back:" "$tmp/interrupted.out"
camera=$(child "$pid" "--peer-id camera")
kill -INT "$pid"
wait "$pid"
expect "interrupted: no report" figure interrupted SC-003
expect "interrupted: demo-after.png" is_png "$tmp/interrupted/demo-after.png"
expect "interrupted: camera ($camera) lives" ended "$camera"

begin bereft --duration 60
expect "no table" await 30 grep -q "there and back:" "$tmp/bereft.out"
camera=$(child "$pid" "--peer-id camera")
kill -KILL "$(child "$pid" "--peer-id blur")"
wait "$pid"
expect "bereft: exit code" [ $? = 1 ]
expect "bereft: no word on it" grep -q "rmrtc demo: blur has ended" "$tmp/bereft.err"
expect "bereft: camera ($camera) lives" ended "$camera"

begin killed --duration 60
expect "no table" await 30 grep -q "there and back:" "$tmp/killed.out"
camera=$(child "$pid" "--peer-id camera")
signal=$(child "$pid" "rmrtc signal")
kill -KILL "$pid"
{ wait "$pid"; } 2>/dev/null
expect "killed: camera ($camera) lives" await 10 ended "$camera"
expect "killed: signal ($signal) lives" await 10 ended "$signal"

[ "$("$rmrtc" demo --duration 1 2>/dev/null; echo $?)" = 2 ] || { echo "FAIL: a duration too short"; failed=1; }
begin nowhere --pipeline "$tmp/missing.yaml"
wait "$pid"
expect "missing pipeline: exit code" [ $? = 1 ]
expect "missing pipeline: no word on it" grep -q "missing.yaml" "$tmp/nowhere.err"
[ $failed = 0 ] || tail -n 5 "$tmp"/*.err
exit $failed

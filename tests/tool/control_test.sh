#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc control and rmrtc execute against rmrtc join --pipeline --allow-control: answers, refusals, exit codes.
#   control_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"

cat >one.yaml <<END
version: v1
metadata: {name: one}
nodes: [{id: first, node_type: PassThrough}]
connections: []
END
sed 's/first/second/' one.yaml >two.yaml
sed 's/PassThrough/PassThrou/' one.yaml >wrong.yaml

start_signal
"$rmrtc" join "$url" --peer-id runner --pipeline one.yaml --allow-control boss,other --json >runner.out 2>runner.err &
pids+=($!)
control() { "$rmrtc" control --timeout 20 "$url" runner "$@"; }

for _ in $(seq 20); do
    control status >status.out || fail "status"
    grep -q starting status.out || break
done
grep -q '"active_nodes":1' status.out && grep -q '"first"' status.out || fail "which nodes?"
control ping >ping.out || fail "ping"
grep -q '"rtt_ms":' ping.out || fail "no round trip"
! control --peer-id stranger pause >denied.out || fail "a stranger may pause"
grep -q RM_E_DENIED denied.out || fail "no reason"
control --peer-id boss pause >pause.out || fail "pause"
control --peer-id boss reconfigure two.yaml >reconfigure.out || fail "reconfigure"
grep -q '"second"' reconfigure.out || fail "which nodes now?"
! control --peer-id boss reconfigure wrong.yaml >faults.out || fail "a wrong manifest was taken"
grep -q 'PassThrou' faults.out || fail "no fault: $(cat faults.out)"
! control --peer-id boss params first '{"nonsense":' 2>json.err || fail "bad JSON was sent"
grep -q RM_E_PARSE json.err || fail "no reason"
control custom greeting '{"a":1}' || fail "custom"
status=0
control dance 2>usage.err || status=$?
[ $status = 2 ] || fail "exit status $status for an action that there is not"

execute() { "$rmrtc" execute --timeout 20 "$url" "$@"; }
[ "$(execute runner --text hello)" = '{"Text":"hello"}' ] || fail "text"
[ "$(execute runner --json '{"a":[1]}')" = '{"Json":{"a":[1]}}' ] || fail "json"
head -c 3000000 /dev/urandom >input.bin
execute runner --file input.bin --output output.bin || fail "a file"
cmp input.bin output.bin || fail "the file differs"
! "$rmrtc" execute --timeout 2 "$url" nobody --text x 2>nobody.err || fail "nobody answered"
grep -q RM_E_PEER_NOT_FOUND nobody.err || fail "no reason: $(cat nobody.err)"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc bench SC-004 in its two-minute form: ten processes, all with all. Nothing may be lost, memory may not grow, sound
# is young, and what the tenth costs is measured up to three times. Where other programs (or the host of a virtual
# machine) take more than a fifth of a core from the ten, ages are not judged, nor whether there are pictures, which give
# way to sound; where they take more than half of one, the ten have not what they need, and the test is skipped (exit
# code 77). Nor are ages judged where the ten themselves fill the machine, whose cores are then too slow for them. Ages
# over the limit are measured once more: a machine that stood still for a moment is not slow.
#   mesh_test.sh RMRTC
. "$(dirname "$0")/common.sh"
cd "$tmp"
others_percent=20 # of a core
too_busy_percent=50
full_percent=$((85 * $(nproc))) # seen on two cores: 150 to 170 % with sound of 23 to 45 ms, above that 30 to 100 ms
attempts=2

value() { # METRIC
    sed -n "s/.*\"metric\":\"$1\",\"value\":\([-0-9.e+]*\),.*/\1/p" mesh.out
}
true_that() { # awk's expression
    awk "BEGIN { exit !($1) }"
}
holds() {
    true_that "$1" || fail "$1 does not hold"
}
measure() {
    "$rmrtc" bench SC-004 --json >mesh.out 2>mesh.err || true # its own verdict has the age of sound in it
    others=$(value cpu_of_other_programs)
    [ -n "$others" ] || fail "the mesh could not be measured"
    if true_that "$others > $too_busy_percent"; then
        echo "mesh_test: skipped: other programs took $others % of a core"
        exit 77
    fi
    for metric in connections_lost senders_not_heard; do
        [ "$(value $metric)" = 0 ] || fail "$metric: $(value $metric)"
    done
    holds "$(value rss_growth) <= 5"
    holds "$(value cost_of_10th_over_3rd) <= 1.5"
    sound="sound p95 $(value audio_p95_worst_pair) ms"
}
young() {
    true_that "$(value audio_p95_worst_pair) < 50 && $(value senders_not_seen) == 0"
}

for attempt in $(seq $attempts); do
    measure
    if true_that "$others > $others_percent"; then
        sound="$sound, not judged: other programs took $others % of a core"
        break
    fi
    if true_that "$(value cpu_of_all) > $full_percent"; then
        sound="$sound, not judged: the ten need more than 85 % of what this machine's cores can do"
        break
    fi
    young && break
    [ "$attempt" -lt $attempts ] || fail "twice: $sound, $(value senders_not_seen) senders not seen"
    echo "mesh_test: $sound, $(value senders_not_seen) senders not seen; measured once more"
done
echo "mesh_test: ok ($sound; CPU $(value cpu_of_all) %, $(value rss_each) MB each)"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rmrtc bench measures calls in processes of its own, counts what is to be counted, and says when it is used wrongly.
#   bench_test.sh RMRTC
set -euo pipefail
rmrtc=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

fail() {
    echo "bench_test: $*" >&2
    exit 1
}
number() { # METRIC FILE
    sed -n "s/.*\"metric\":\"$1\",\"value\":\([-0-9.e+]*\),.*/\1/p" "$2"
}
holds() { # awk's expression
    awk "BEGIN { exit !($1) }" || fail "$1 does not hold"
}

# Lines of code: six here.
mkdir examples
cat >examples/01_blur_call.c <<'CODE'
/* a comment */
#include <stdio.h>

// another
int main(void) { /* begins with code */
    /* goes on
       for lines */ puts("x"); // code before
    return 0;
    /* one */ /* two */
}
int x;
CODE
"$rmrtc" bench SC-010 --json >lines || fail "SC-010 fails"
[ "$(number example_lines_of_code lines)" = 6 ] || fail "lines of code: $(cat lines)"

for args in "SC-99" "--runs 0" "--runs 101" "--nonsense"; do
    code=0
    # shellcheck disable=SC2086
    "$rmrtc" bench $args >out 2>err || code=$?
    [ "$code" = 2 ] && [ -s err ] && [ ! -s out ] || fail "bench $args: exit code $code"
done

# A whole call through a pipeline, of two processes; limits are wide, the machine may be busy.
"$rmrtc" bench SC-001 --quick --json >first || fail "SC-001: $(cat first)"
holds "$(number first_processed_picture first) > 1"
[ "$(wc -l <first)" = 1 ] || fail "more than one figure: $(cat first)"

# Heap calls: a chunk that is copied takes two more.
code=0
"$rmrtc" bench SC-009 --quick --json >heap 2>err || code=$?
if [ "$code" != 0 ] && [ ! -s heap ]; then
    grep -q "could not be measured" err || fail "SC-009: $(cat err)"
    echo "bench_test: heap calls cannot be counted in this build"
else
    holds "$(number heap_calls_per_chunk heap) <= 0.1"
    holds "$(number heap_calls_per_chunk_copying heap) >= 1"
fi

# Simulations: the median and the worst of their seeds against the pass line; a figure of a whole run as it is.
mkdir sims
cat >sims/sim_outages_end_within_two_seconds_of_the_networks_return <<'SIM'
#!/bin/sh
echo "$*" >args
echo '{"id":"x","metric":"share","value":0.95,"unit":"share","limit":0.9,"goal":0.99,"pass":true,"goal_met":false,"n":7}'
echo "something else"
SIM
cat >sims/sim_one_flow_follows_the_capacity <<'SIM'
#!/bin/sh
for use in 0.9 0.7 0.8; do
    met=true
    [ $use = 0.7 ] && met=false
    echo '{"id":"x","metric":"use","value":'$use',"unit":"","limit":0.5,"goal":0.8,"pass":true,"goal_met":'$met',"n":1}'
done
SIM
chmod +x sims/*
"$rmrtc" bench SC-008 --sim sims --json --runs 3 >lines || fail "SC-008 of a simulation fails"
[ "$(cat args)" = "--seeds 1-3" ] || fail "seeds: $(cat args)"
grep -q '"id":"SC-008","metric":"share","value":0.95,.*"limit":0.9,"goal":0.99,"pass":true,"goal_met":false,"n":7}' lines ||
    fail "SC-008: $(cat lines)"
code=0
"$rmrtc" bench RFC8867 --sim sims --json >lines 2>err || code=$?
[ "$code" = 1 ] || fail "simulations that are missing: exit code $code"
grep -q "sim_two_flows_follow_the_capacity is not in sims.*ninja" err || fail "no remedy: $(cat err)"
[ "$(number "use, median" lines)" = 0.8 ] && grep -q '"use, median".*"limit":0.8,.*"pass":true,.*"n":3}' lines ||
    fail "median: $(cat lines)"
[ "$(number "use, worst" lines)" = 0.7 ] && grep -q '"use, worst".*"goal":0.8,"pass":false' lines || fail "worst: $(cat lines)"

# The real ones, one seed of each. Whether a line is met is not the matter here.
"$rmrtc" bench RFC8867 SC-008 --quick --json >lines 2>err || true
for case in 5.1 5.2 5.3 5.4 5.5 5.6 5.7 5.8 6.1 6.3; do
    grep -q "\"id\":\"RFC8867\",\"metric\":\"$case " lines || fail "no figure of $case: $(cat err)"
done
holds "$(number "recovery, 99th percentile" lines) > 0"
echo "bench_test: passed"

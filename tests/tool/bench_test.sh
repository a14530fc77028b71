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
echo "bench_test: passed"

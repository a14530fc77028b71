#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The simulator gives the same trace hash for a seed in every run and with either compiler.
# usage: check-determinism.sh GCC_BUILD_DIR CLANG_BUILD_DIR
set -uo pipefail
gcc_program=${1:?directory of the gcc build}/bin/sim_trace_hash
clang_program=${2:?directory of the clang build}/bin/sim_trace_hash
runs=3

# The `hash SEED HEX` lines of one run; anything else the program prints is no business of this check.
hashes() {
    local out
    out=$("$1") || {
        echo "check-determinism: $1 failed" >&2
        return 1
    }
    grep -E '^hash [0-9]+ [0-9a-f]+$' <<<"$out" || {
        echo "check-determinism: $1 printed no hash" >&2
        return 1
    }
}

first=$(hashes "$gcc_program") || exit 1
compare() {
    if [ "$2" != "$first" ]; then
        echo "check-determinism: $1 differs"
        diff <(printf '%s\n' "$first") <(printf '%s\n' "$2")
        exit 1
    fi
}
for ((i = 2; i <= runs; i++)); do
    again=$(hashes "$gcc_program") || exit 1
    compare "run $i with gcc" "$again"
done
other=$(hashes "$clang_program") || exit 1
compare "the run with clang" "$other"
printf '%s\n' "$first"
echo "check-determinism: $(wc -l <<<"$first") seeds, $runs runs with gcc and 1 with clang agree"

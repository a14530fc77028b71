#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every fuzz target for FUZZ_SECONDS (60) from its corpus. New inputs collect in build-fuzz/corpus, findings in
# build-fuzz/findings. Arguments name targets to run only those: scripts/run-fuzz.sh stun candidate
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
build=build-fuzz
if ! { cmake --preset fuzz >/dev/null && ninja -C $build fuzz_targets; }; then
    echo "run-fuzz: the build failed" >&2
    exit 1
fi
mkdir -p $build/findings
failed=0
ran=0
for program in $build/bin/fuzz_*; do
    [ -x "$program" ] || continue
    name=${program##*/fuzz_}
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then
        continue
    fi
    grown=$build/corpus/$name
    mkdir -p "$grown"
    dirs=("$grown")
    [ -d "tests/fuzz/corpus/$name" ] && dirs+=("tests/fuzz/corpus/$name")
    log=$build/findings/$name.log
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" "${dirs[@]}" >"$log" 2>&1; then
        echo "ok $name ($(sed -n 's/^Done \(.*\)/\1/p' "$log"))"
    else
        echo "not ok $name: see $log"
        tail -n 40 "$log"
        failed=1
    fi
    ran=$((ran + 1))
done
[ $ran -gt 0 ] || { echo "run-fuzz: no such target" >&2; exit 1; }
exit $failed

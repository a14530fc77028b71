#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests of the project, stage by stage; `make test` and .ci/run call it. A failing test shows its output. The last
# line is "N passed, N failed" (with ", N skipped" when some were); the exit code is 0 only when something ran and
# nothing failed.
#
#   scripts/run-tests.sh [STAGE...]    stages: checks unit determinism sanitizers interop nat   (all without arguments)
#   RM_ASAN_SIM_SEEDS=N    seeds of each simulation under the sanitizers (2)
#   RM_SCRIPT_TIMEOUT=S    time limit of one interoperability or NAT script in seconds (300)
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

passed=0
failed=0
skipped=0
failures=()
started=$SECONDS
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
jobs=$(nproc)

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    failures+=("$1")
}
skip() { skipped=$((skipped + 1)); }

# stage TITLE FUNCTION...: runs it and says how long it took.
stage() {
    local title=$1 from=$SECONDS
    shift
    printf '\n== %s\n' "$title"
    "$@"
    printf -- '-- %s: %d s (so far %d passed, %d failed, %d skipped)\n' "$title" $((SECONDS - from)) $passed $failed $skipped
}

# check NAME COMMAND...: one test; exit code 77 means that it cannot run here.
check() {
    local name=$1 code=0
    shift
    "$@" >"$logs/check" 2>&1 || code=$?
    case $code in
    0)
        echo "ok $name ($(tail -n 1 "$logs/check"))"
        pass
        ;;
    77)
        echo "skip $name: $(tail -n 1 "$logs/check")"
        skip
        ;;
    *)
        echo "not ok $name"
        cat "$logs/check"
        fail "$name"
        ;;
    esac
}

# build PRESET [TARGET...]: quiet unless it fails, which counts as one failed test.
build() {
    local preset=$1
    shift
    local dir=build-$preset
    [ "$preset" = release ] && dir=build
    if { cmake --preset "$preset" && ninja -C "$dir" "$@"; } >"$logs/build" 2>&1; then
        return 0
    fi
    echo "not ok build.$preset"
    grep -E -A 12 'FAILED: |error: |undefined reference|CMake Error' "$logs/build" | head -n 120
    fail "build.$preset"
    return 1
}

# The output of the tests that did not pass, out of a ctest log.
failing_output() {
    awk '/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / { show = !/ Passed / && !/\*\*\*Skipped/ }
         /^ +Start +[0-9]+: / { next }
         /^[0-9]+% tests passed/ { exit }
         show' "$1"
}

# run_ctest PREFIX DIR LABELS: counts each test of the directory with one of the labels.
run_ctest() {
    local prefix=$1 dir=$2 labels=$3 line name
    ctest --test-dir "$dir" -L "$labels" --output-on-failure --no-tests=error -j "$jobs" >"$logs/ctest" 2>&1
    local code=$? counted=0 bad=0
    while IFS= read -r line; do
        name=$prefix$(sed -E 's/.*Test +#[0-9]+: ([^ ]+).*/\1/' <<<"$line")
        counted=$((counted + 1))
        case $line in
        *' Passed '*) pass ;;
        *'***Skipped'*) skip ;;
        *)
            bad=$((bad + 1))
            echo "not ok $name"
            fail "$name"
            ;;
        esac
    done < <(grep -E '^ *[0-9]+/[0-9]+ Test +#[0-9]+: ' "$logs/ctest")
    echo "$prefix$labels: $counted tests, $bad failed"
    if [ $bad -gt 0 ]; then
        failing_output "$logs/ctest"
    elif [ $code -ne 0 ] || [ $counted -eq 0 ]; then
        cat "$logs/ctest"
        fail "${prefix}ctest ($labels)"
    fi
}

# run_script FILE: an executable that prints "ok NAME", "not ok NAME: reason", "skip NAME: reason".
run_script() {
    local script=$1 name code=0 ok bad skips line
    name=$(basename "$(dirname "$script")")/$(basename "$script" .sh)
    timeout --kill-after=20 "${RM_SCRIPT_TIMEOUT:-300}" "$script" >"$logs/script" 2>"$logs/script.err" || code=$?
    cat "$logs/script"
    ok=$(grep -c '^ok ' "$logs/script")
    bad=$(grep -c '^not ok ' "$logs/script")
    skips=$(grep -c '^skip ' "$logs/script")
    passed=$((passed + ok))
    skipped=$((skipped + skips))
    while IFS= read -r line; do
        fail "$name: ${line#not ok }"
    done < <(grep '^not ok ' "$logs/script")
    if [ "$bad" -eq 0 ] && [ $code -ne 0 ] && ! { [ $code -eq 77 ] && [ "$skips" -gt 0 ]; }; then
        echo "not ok $name: exit code $code"
        fail "$name: exit code $code"
        bad=1
    elif [ $((ok + bad + skips)) -eq 0 ]; then
        echo "not ok $name: it printed no result"
        fail "$name: it printed no result"
        bad=1
    fi
    if [ "$bad" -gt 0 ]; then
        tail -n 60 "$logs/script.err"
    fi
}

# run_scripts DIRECTORY
run_scripts() {
    local script any=false
    for script in "$1"/run_*.sh; do
        [ -x "$script" ] || continue
        any=true
        run_script "$script"
    done
    $any || echo "(no scripts in $1)"
}

# A lock file with addresses of one registry would send everybody to that registry.
lock_file_names_no_host() {
    local lock=tests/interop/package-lock.json
    if [ ! -f $lock ]; then
        echo "no $lock"
        return 77
    fi
    if grep -n '"resolved"' $lock; then
        return 1
    fi
    echo "$lock names no registry"
}

stage_bootstrap() {
    if scripts/bootstrap.sh >"$logs/bootstrap" 2>&1; then
        tail -n 5 "$logs/bootstrap"
        return
    fi
    echo "bootstrap failed; going on with what is installed"
    tail -n 30 "$logs/bootstrap"
}

stage_checks() {
    check check.layers.selftest python3 -B scripts/test_check_layers.py
    check check.layers python3 -B scripts/check-layers.py
    check check.headers scripts/check-headers.sh
    check check.format scripts/check-format.sh
    check check.lockfile lock_file_names_no_host
}

stage_unit() {
    run_ctest "" build 'unit|sim|api'
    check check.install scripts/check-install.sh build
}

stage_determinism() {
    build clang sim_trace_hash && check check.determinism scripts/check-determinism.sh build build-clang
}

stage_sanitizers() {
    build asan unit_tests sim_tests || return
    RM_SIM_SEEDS=${RM_ASAN_SIM_SEEDS:-2} run_ctest "asan." build-asan 'unit|sim'
}

wants() {
    [ "$selected" = "  " ] || [[ $selected == *" $1 "* ]]
}

selected=" $* "
stage "bootstrap" stage_bootstrap
wants checks && stage "repository checks" stage_checks
built=true
stage_build() { build release || built=false; }
stage "build (gcc, release)" stage_build
if $built; then
    wants unit && stage "unit, simulation and API tests" stage_unit
    wants determinism && stage "determinism across runs and compilers" stage_determinism
    wants sanitizers && stage "unit tests and simulations under asan and ubsan" stage_sanitizers
    wants interop && stage "interoperability" run_scripts tests/interop
    wants nat && stage "NATs in network namespaces" run_scripts tests/net
fi

printf '\ntook %d s\n' $((SECONDS - started))
for failure in "${failures[@]}"; do printf 'failed: %s\n' "$failure"; done
if [ $skipped -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ] && [ $passed -gt 0 ]

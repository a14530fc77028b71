#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every installed header compiles alone, as C11 and as C++17, without a warning, and is at most 300 lines long.
set -uo pipefail
cd "$(dirname "$0")/.."
max_lines=300
cc=${CC:-gcc}
cxx=${CXX:-g++}
command -v "$cxx" >/dev/null || cxx=clang++
flags=(-Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only)
failed=0
count=0
for header in include/remotemedia/*.h; do
    [ -f "$header" ] || continue
    count=$((count + 1))
    line="#include <${header#include/}>"
    # Twice: a header without a guard shows.
    printf '%s\n%s\nint used;\n' "$line" "$line" | "$cc" -std=c11 "${flags[@]}" -x c - || {
        echo "$header: not clean as C11 alone"
        failed=1
    }
    printf '%s\n%s\nint used;\n' "$line" "$line" | "$cxx" -std=c++17 "${flags[@]}" -x c++ - || {
        echo "$header: not clean as C++17 alone"
        failed=1
    }
    lines=$(wc -l <"$header")
    if [ "$lines" -gt $max_lines ]; then
        echo "$header: $lines lines, at most $max_lines"
        failed=1
    fi
done
echo "check-headers: $count headers"
[ "$count" -gt 0 ] || failed=1
exit $failed

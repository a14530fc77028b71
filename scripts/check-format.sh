#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tracked C files are as clang-format leaves them. The result depends on its version: 14, as in Debian 12.
set -uo pipefail
cd "$(dirname "$0")/.."
version=14
found=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
if [ "$found" != "$version" ]; then
    echo "check-format: needs clang-format $version, found '${found:-none}'" >&2
    exit 77
fi
files=()
while IFS= read -r -d '' file; do
    [ -f "$file" ] && files+=("$file")
done < <(git ls-files -z -- '*.c' '*.h')
if [ ${#files[@]} = 0 ]; then
    echo "check-format: no tracked C files (not a git checkout?)" >&2
    exit 77
fi
if clang-format --dry-run --Werror "${files[@]}" 2>/dev/null; then
    echo "check-format: ${#files[@]} files"
    exit 0
fi
for file in "${files[@]}"; do
    clang-format --dry-run --Werror "$file" 2>/dev/null || diff -u "$file" <(clang-format "$file") | head -n 30
done
echo "check-format: the files above differ; 'make format' mends them"
exit 1

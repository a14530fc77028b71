#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `rmrtc demo` with the clip of scripts/demo-media.sh, or with the moving test picture when that cannot be had; for `make demo`.
# DURATION=S: seconds; otherwise 20, or until Ctrl-C on a terminal. Other arguments go to rmrtc demo.
set -euo pipefail
cd "$(dirname "$0")/.."
publish=test
if [ ! -e build/plugins/rm_ffmpeg.so ]; then
    echo "demo: the plug-in for media files was not built, as FFmpeg's libraries are missing" >&2
elif clip=$(scripts/demo-media.sh); then
    publish=$clip
fi
[ "$publish" != test ] || echo "demo: the built-in moving test picture is sent instead of a real clip" >&2
exec build/bin/rmrtc demo --publish "$publish" --output build/demo ${DURATION:+--duration "$DURATION"} "$@"

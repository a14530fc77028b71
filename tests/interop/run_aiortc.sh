#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# aiortc (Debian package python3-aiortc) against rmrtc: connections, then sound and pictures both ways.
# Environment: RMRTC (build/bin/rmrtc; media_check and the FFmpeg plug-in are found from there), RM_INTEROP_REQUIRED.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc aiortc
# Debian's python by its path: another python3 may come first and not have the package.
/usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip_all aiortc "Debian package python3-aiortc is not installed"
peer() { PYTHONDONTWRITEBYTECODE=1 timeout -k 2 60 /usr/bin/python3 "$here/aiortc_peer.py" "$url" "$1" "$2" \
    >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
media_peer() { PYTHONDONTWRITEBYTECODE=1 timeout -k 2 80 /usr/bin/python3 "$here/aiortc_media_peer.py" "$url" "$1" "$2" \
    "$3" "$tmp/media" "$tmp/$1-peer" >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
start_signal
echo "# aiortc $(/usr/bin/python3 -c 'import aiortc; print(aiortc.__version__)')"
run_both peer aiortc 60 # 2.5 s of 20 ms frames are 125; rmrtc's last line may be a second old
require_data_peer aiortc-data
data_peer() { PYTHONDONTWRITEBYTECODE=1 timeout -k 2 120 /usr/bin/python3 "$here/aiortc_data_peer.py" "$url" "$1" "$2" \
    >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
run_data data_peer aiortc
require_media_check aiortc-media
draw_media
received=(peer.png peer.wav rm.png rm.wav)
run_media media_peer aiortc VP8 offer "${received[@]}"
run_media media_peer aiortc VP8 answer "${received[@]}"
run_media media_peer aiortc H264 offer "${received[@]}"
run_media media_peer aiortc H264 answer "${received[@]}"
exit "$failed"

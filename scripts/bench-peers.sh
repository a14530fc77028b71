#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same 720p30 H.264 call by this library and by GStreamer's webrtcbin, in turns: CPU of sender and receiver, and ratios.
#
#   scripts/bench-peers.sh [RUNS]     default 5; RMRTC=build/bin/rmrtc
#
# Installs Debian's GStreamer if it is missing (bootstrap.sh does not: nothing else needs it). When it cannot be had, that is
# said, and the exit code is 0.
set -euo pipefail
cd "$(dirname "$0")/.."

rmrtc=${RMRTC:-build/bin/rmrtc}
packages=(gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice gstreamer1.0-libav
    python3-gst-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-plugins-bad-1.0)

skip() {
    echo "bench-peers: skipped: $*"
    exit 0
}

have_gstreamer() {
    /usr/bin/python3 - <<'PYTHON' 2>/dev/null
import gi
for name in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(name, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
names = "webrtcbin nicesrc dtlssrtpenc srtpenc openh264enc h264parse rtph264pay rtph264depay avdec_h264".split()
raise SystemExit(not all(Gst.ElementFactory.find(name) for name in names))
PYTHON
}

install_gstreamer() {
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
}

[ -x "$rmrtc" ] || { echo "bench-peers: $rmrtc is missing; make build" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! have_gstreamer; then
    command -v apt-get >/dev/null || skip "GStreamer is not installed, and this is no Debian"
    install_gstreamer >"$tmp/install.log" 2>&1 || skip "GStreamer is not installed and cannot be: $(tail -n 1 "$tmp/install.log")"
    have_gstreamer || skip "GStreamer is installed, but an element is missing"
fi
"$rmrtc" bench --write-test-video "$tmp/pictures.i420"
/usr/bin/python3 tests/bench/compare.py "$rmrtc" "$tmp/pictures.i420" "${1:-5}"

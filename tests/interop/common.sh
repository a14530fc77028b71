# SPDX-License-Identifier: Apache-2.0
# Sourced by run_*.sh: where rmrtc is, a temporary directory, processes that end with the script, results.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RMRTC=${RMRTC:-$here/../../build/bin/rmrtc}
failed=0
pids=()
tmp=$(mktemp -d)

cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

ok() { echo "ok $1"; }
not_ok() {
    failed=1
    echo "not ok $1: $2"
}
# Ends the script. With RM_INTEROP_REQUIRED=1 a missing peer is a failure: so that a CI job cannot pass by testing
# nothing.
skip_all() {
    echo "skip $1: $2"
    [ "${RM_INTEROP_REQUIRED:-0}" = 1 ] && exit 1
    exit "$failed"
}

require_rmrtc() {
    [ -x "$RMRTC" ] || {
        echo "not ok $1: $RMRTC is not there; build it, or set RMRTC"
        exit 1
    }
    RMRTC=$(cd "$(dirname "$RMRTC")" && pwd)/$(basename "$RMRTC")
    export RMRTC
}

# require_media_check NAME: what compares received media with sent media, and what records them; sets MEDIA_CHECK.
require_media_check() {
    MEDIA_CHECK=$(dirname "$RMRTC")/media_check
    [ -x "$MEDIA_CHECK" ] || {
        echo "not ok $1: $MEDIA_CHECK is not there; build the tests too"
        exit 1
    }
    [ -e "$(dirname "$RMRTC")/../plugins/rm_ffmpeg.so" ] ||
        skip_all "$1" "the plug-in rm_ffmpeg.so, which records sound, is not built (FFmpeg's development packages)"
    export MEDIA_CHECK
}

# require_data_peer NAME: the library's side of the data channel tests; sets DATA_PEER.
require_data_peer() {
    DATA_PEER=$(dirname "$RMRTC")/data_peer
    [ -x "$DATA_PEER" ] || {
        echo "not ok $1: $DATA_PEER is not there; build the tests too"
        exit 1
    }
    export DATA_PEER
}

# require_chromium NAME: Chromium and what drives it; sets CHROMIUM.
require_chromium() {
    CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
    [ -x "$CHROMIUM" ] || skip_all "$1" "there is no $CHROMIUM (Debian package chromium)"
    command -v node >/dev/null || skip_all "$1" "there is no node (Debian package nodejs)"
    node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' ||
        skip_all "$1" "node $(node --version) is older than 18, which playwright-core asks for"
    cd "$here" || exit 1
    if ! node -e 'import("playwright-core").catch(() => process.exit(1))' 2>/dev/null; then
        command -v npm >/dev/null || skip_all "$1" "playwright-core is not installed and there is no npm"
        npm ci --no-audit --no-fund >"$tmp/npm" 2>&1 </dev/null ||
            skip_all "$1" "playwright-core could not be installed: $(grep -m 1 -E 'npm (error|ERR!)' "$tmp/npm")"
    fi
}

# run_browser_test SECONDS FILE.mjs [CASE...]: Playwright and Chromium keep everything below HOME and TMPDIR, so that it
# goes with them.
run_browser_test() {
    local limit=$1
    shift
    mkdir "$tmp/home"
    HOME=$tmp/home TMPDIR=$tmp XDG_CONFIG_HOME=$tmp/home XDG_CACHE_HOME=$tmp/home CHROMIUM=$CHROMIUM \
        timeout -k 5 "$limit" node "$@" </dev/null &
    pids+=($!)
    wait $!
}

# Seconds until a process that is started has to be there: on a busy machine Python alone needs ten for its imports.
START_S=40

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# start_signal [OPTION...]: sets `url`.
start_signal() {
    "$RMRTC" signal --listen 127.0.0.1:0 "$@" >"$tmp/signal" 2>"$tmp/signal.err" </dev/null &
    pids+=($!)
    wait_for "$START_S" grep -q listening "$tmp/signal" || {
        echo "not ok signaling: rmrtc signal does not listen: $(cat "$tmp/signal.err")"
        exit 1
    }
    url=$(sed -n 's/^listening on //p' "$tmp/signal")
}

# start_serve [OPTION...]: server mode with a pipeline that gives everything back, its node "echo". Sets `url`, `serve_pid`.
start_serve() {
    "$RMRTC" serve "$here/../../examples/pipelines/echo.yaml" --listen 127.0.0.1:0 "$@" >"$tmp/serve" 2>"$tmp/serve.err" \
        </dev/null &
    serve_pid=$!
    pids+=("$serve_pid")
    wait_for "$START_S" grep -q listening "$tmp/serve" || {
        echo "not ok serve: rmrtc serve does not listen: $(cat "$tmp/serve.err")"
        exit 1
    }
    url=$(sed -n 's/^listening on //p' "$tmp/serve")
}

# start_join ROOM [OPTION...]: rmrtc as "rm"; its lines go to $tmp/ROOM.json. Sets `join_pid`.
start_join() {
    local room=$1
    shift
    "$RMRTC" join "$url" --room "$room" --peer-id rm --json --duration 90 "$@" >"$tmp/$room.json" 2>"$tmp/$room.err" \
        </dev/null &
    join_pid=$!
    pids+=("$join_pid")
}
stop_join() {
    kill "$join_pid" 2>/dev/null
    wait "$join_pid"
}

# The number after a key in a line of rmrtc.
number() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

# check_join NAME ROOM MIN_PACKETS: rmrtc was connected, with SRTP keys, and what came in was decrypted. A packet or
# two may be late when the peer has closed.
check_join() {
    local line in dropped
    line=$(grep '"state":"connected"' "$tmp/$2.json" | tail -n 1)
    if [ -z "$line" ]; then
        not_ok "$1" "rmrtc was never connected: $(tail -n 1 "$tmp/$2.json") $(tail -n 3 "$tmp/$2.err")"
        return 1
    fi
    in=$(number packets_in <<<"$line")
    dropped=$(number packets_dropped <<<"$line")
    if grep -q '"srtp_profile":""' <<<"$line"; then
        not_ok "$1" "rmrtc has no SRTP profile: $line"
    elif [ "$in" -lt "$3" ] || [ "$dropped" -gt 2 ]; then
        not_ok "$1" "rmrtc received $in packets, not $3 or more, and dropped $dropped"
    else
        return 0
    fi
    return 1
}

# run_both PEER NAME MIN_PACKETS: the command `PEER ROOM offer|answer` against rmrtc, in both roles. PEER prints
# "announced" when it is in the room and one JSON line at its end, into $tmp/ROOM.peer and .peer.err.
run_both() {
    local room code
    room=$2-offers
    start_join "$room"
    wait_for "$START_S" grep -q '"signaling":"ready"' "$tmp/$room.json" || not_ok "$room" "rmrtc did not join the room"
    "$1" "$room" offer
    judge "$room" $? "$3"

    room=$2-answers
    "$1" "$room" answer &
    local peer_pid=$!
    pids+=("$peer_pid")
    wait_for "$START_S" grep -q announced "$tmp/$room.peer" || not_ok "$room" "the peer did not join the room"
    start_join "$room"
    wait "$peer_pid"
    judge "$room" $? "$3"
}

# run_data PEER NAME [LONGEST]: data channels between data_peer and the command `PEER ROOM offer|answer`, in both roles. data_peer
# judges: it hears from the other side how it fared.
run_data() {
    local room peer_pid line
    for role in offer answer; do
        room=data-$2-${role}s
        if [ $role = answer ]; then
            "$1" "$room" answer &
            peer_pid=$!
            pids+=("$peer_pid")
            wait_for "$START_S" grep -q announced "$tmp/$room.peer" || not_ok "$room" "the peer did not join the room"
        fi
        timeout -k 2 120 "$DATA_PEER" "$url" "$room" "${@:3}" >"$tmp/$room.data" 2>"$tmp/$room.err" </dev/null &
        join_pid=$!
        pids+=("$join_pid")
        if [ $role = offer ]; then
            wait_for "$START_S" grep -q ready "$tmp/$room.data" || not_ok "$room" "data_peer did not join the room"
            "$1" "$room" offer &
            peer_pid=$!
            pids+=("$peer_pid")
        fi
        if wait "$join_pid"; then
            ok "$room"
            echo "#  $(tail -n 1 "$tmp/$room.data")"
        else
            not_ok "$room" "data_peer: $(tail -n 1 "$tmp/$room.data") $(tail -n 3 "$tmp/$room.err" | tr '\n' ' '); peer:" \
                "$(tail -n 3 "$tmp/$room.peer.err" | tr '\n' ' ')"
        fi
        kill "$peer_pid" 2>/dev/null
        wait "$peer_pid"
    done
}

closed() { ! tail -n 1 "$1" | grep -q '"state":"connected"'; }

# judge ROOM EXIT_CODE_OF_THE_PEER MIN_PACKETS
judge() {
    local said
    said=$(grep '^{' "$tmp/$1.peer" | tail -n 1)
    if [ "$2" != 0 ]; then
        not_ok "$1" "the peer ended with $2: ${said:-no report} $(tail -n 3 "$tmp/$1.peer.err" | tr '\n' ' ');" \
            "rmrtc: $(tail -n 1 "$tmp/$1.json")"
    elif ! check_join "$1" "$1" "$3"; then
        : # said already
    elif ! wait_for 4 closed "$tmp/$1.json"; then
        not_ok "$1" "rmrtc did not notice that the peer closed: $(tail -n 1 "$tmp/$1.json")"
    elif grep -q '"state":"disconnected"' "$tmp/$1.json"; then
        not_ok "$1" "rmrtc noticed the end by silence only, not by close_notify"
    else
        ok "$1"
        echo "#  peer $said"
        echo "#  rmrtc $(grep '"state":"connected"' "$tmp/$1.json" | tail -n 1)"
    fi
    stop_join
}

# ---- sound and pictures, compared with what was sent ----

width=640 height=360 # of the pictures that both sides send

# draw_media: what peers send, into $tmp/media.
draw_media() {
    mkdir "$tmp/media"
    "$MEDIA_CHECK" draw "$tmp/media" $width $height 8 || exit 1
}

# real KEY: the number after a key in a line of media_check.
real() { sed -n "s/.*\"$1\":\(-*[0-9.]*\).*/\1/p"; }

# judge_picture FILE.png, judge_sound FILE.wav: print what is wrong with it, or what it has.
judge_picture() {
    local line
    line=$("$MEDIA_CHECK" picture "$1" $width $height 2>&1) || { echo "$line"; return 1; }
    echo "$line"
    awk -v psnr="$(real psnr_db <<<"$line")" 'BEGIN { exit !(psnr >= 30) }'
}
judge_sound() {
    local line
    line=$("$MEDIA_CHECK" sound "$1" 2>&1) || { echo "$line"; return 1; }
    echo "$line"
    awk -v n="$(real markers <<<"$line")" -v regular="$(real regular <<<"$line")" -v gain="$(real gain_db <<<"$line")" \
        -v alike="$(real similarity <<<"$line")" -v correlation="$(real correlation <<<"$line")" 'BEGIN {
            exit !(n >= 4 && regular >= 0.5 * n && alike >= 0.9 && correlation >= 0.9 && gain > -1.5 && gain < 1.5)
        }'
}

# judge_media ROOM FILE...: each of $tmp/ROOM-FILE (.png, .wav) is what was sent.
judge_media() {
    local room=$1 file what good=true
    shift
    for file; do
        case $file in
        *.png) what=$(judge_picture "$tmp/$room-$file") ;;
        *) what=$(judge_sound "$tmp/$room-$file") ;;
        esac || {
            good=false
            not_ok "$room" "$file: $what; rmrtc: $(tail -n 1 "$tmp/$room.json")"
        }
        notes+=("$file $what")
    done
    $good
}

# run_media PEER NAME CODEC offer|answer FILE...: rmrtc sends test media to the command `PEER ROOM ROLE CODEC` and records
# what comes from it. The FILEs of judge_media are rm.png, rm.wav, and those that the peer writes.
run_media() {
    local peer=$1 room=$2-$4s-$3 codec=$3 role=$4 code notes=() line
    local options=(--publish test --size ${width}x$height --fps 15 --video-codec "${codec,,}"
        --record "$tmp/$room-rm.wav" --snapshot "$tmp/$room-rm.png" --audio-frame 20) # aiortc 1.4 takes no other length
    shift 4
    if [ "$role" = offer ]; then
        start_join "$room" "${options[@]}"
        wait_for "$START_S" grep -q '"signaling":"ready"' "$tmp/$room.json" || not_ok "$room" "rmrtc did not join the room"
        "$peer" "$room" offer "$codec"
        code=$?
    else
        "$peer" "$room" answer "$codec" &
        local peer_pid=$!
        pids+=("$peer_pid")
        wait_for "$START_S" grep -q announced "$tmp/$room.peer" || not_ok "$room" "the peer did not join the room"
        start_join "$room" "${options[@]}"
        wait "$peer_pid"
        code=$?
    fi
    stop_join
    if [ "$code" != 0 ]; then
        not_ok "$room" "the peer ended with $code: $(grep '^{' "$tmp/$room.peer") $(tail -n 3 "$tmp/$room.peer.err" |
            tr '\n' ' '); rmrtc: $(tail -n 2 "$tmp/$room.json" | head -n 1)"
    elif judge_media "$room" "$@"; then
        ok "$room"
        for line in "${notes[@]}"; do echo "#  $line"; done
    fi
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what this project needs and the machine lacks (Debian 12, root or sudo). Says what and why; does nothing on
# a complete machine.
#
#   scripts/bootstrap.sh             everything: build, demo, tests, interoperability tests, fuzzing
#   scripts/bootstrap.sh --minimal   what building and the demo need
#   scripts/bootstrap.sh --check     installs nothing; lists what is missing, exit 1 if something is
set -euo pipefail
cd "$(dirname "$0")/.."

minimal=false
check=false
for arg in "$@"; do
    case $arg in
    --minimal) minimal=true ;;
    --check) check=true ;;
    *)
        echo "bootstrap: unknown argument $arg (see the head of $0)" >&2
        exit 2
        ;;
    esac
done

# package | why
build_packages='gcc|C compiler
libc6-dev|C library headers
make|make build, make test
cmake|build system
ninja-build|build system
pkg-config|finds the libraries
libuv1-dev|event loop
libssl-dev|DTLS, SRTP, TLS, certificates, hashes
libjansson-dev|JSON
libopus-dev|Opus sound
libvpx-dev|VP8 and VP9 video
libopenh264-dev|H.264 video
libyuv-dev|colour conversion and scaling
libspeexdsp-dev|resampling
libyaml-dev|manifests in YAML
nanopb|makes C code of the protobuf messages
libnanopb-dev|protobuf messages
libpng-dev|snapshots of the tool (PNG)
libavformat-dev|plug-in for media files (plugins/ffmpeg): containers
libavcodec-dev|plug-in for media files: codecs
libavutil-dev|plug-in for media files: what the others share
libswscale-dev|plug-in for media files: picture sizes and formats
libswresample-dev|plug-in for media files: sample rates and formats
ffmpeg|scales the clip of the demo, once
alsa-utils|speech for the demo (/usr/share/sounds/alsa)'
test_packages='libcmocka-dev|unit tests
libsrtp2-dev|the SRTP tests compare with it
libusrsctp-dev|the SCTP tests talk to it
g++|the public headers are checked as C++17
clang|second compiler, fuzzing
clang-format|format check
libclang-rt-14-dev|sanitizers and fuzzer of clang
ccache|the second and third build of the tests take seconds
git|lists the files to check
gnuplot-nox|pictures of the congestion control tests (make plots)
python3|layer check, NAT tests
openssl|certificates for the TLS tests
chromium|interoperability tests with a browser
fonts-dejavu-core|without a font the browser does not start
coturn|TURN server of the relay tests
iproute2|network namespaces of the NAT tests
nftables|NAT routers of the NAT tests
python3-aiortc|interoperability tests with aiortc
golang-github-pion-webrtc.v3-dev|interoperability tests with Pion'

wanted=$build_packages
if ! $minimal; then
    wanted+=$'\n'$test_packages
    # These often come from elsewhere than Debian; what is there is used.
    command -v node >/dev/null || wanted+=$'\nnodejs|drives the browser tests'
    command -v npm >/dev/null || command -v node >/dev/null || wanted+=$'\nnpm|installs the browser driver'
    command -v go >/dev/null || wanted+=$'\ngolang-go|builds the Pion test peer'
fi

if ! command -v dpkg-query >/dev/null; then
    echo "bootstrap: this is not Debian; please see that these are installed:" >&2
    printf '  %s\n' "${wanted//$'\n'/$'\n'  }" >&2
    exit 0
fi

missing_packages() {
    local names installed name why
    names=$(printf '%s\n' "$wanted" | cut -d'|' -f1)
    # dpkg-query fails when one of the names is unknown to it: that one is missing, the others are listed all the same.
    # shellcheck disable=SC2086
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $names 2>/dev/null || true)
    while IFS='|' read -r name why; do
        grep -qx "installed $name" <<<"$installed" || printf '%s|%s\n' "$name" "$why"
    done <<<"$wanted"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "bootstrap: need root or sudo for: $*" >&2
        return 1
    fi
}

# Debian starts services as they are installed. The tests start their own TURN server; none must run beside it.
install_packages() {
    local policy=/usr/sbin/policy-rc.d guard=false status=0
    if [[ " $* " == *" coturn "* && ! -e $policy ]]; then
        guard=true
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq || status=$?
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || status=$?
    if $guard; then
        as_root rm -f "$policy"
    fi
    if [[ " $* " == *" coturn "* && -d /run/systemd/system ]]; then
        as_root systemctl disable --now coturn.service >/dev/null 2>&1 || true
    fi
    return "$status"
}

missing=$(missing_packages)
if [ -n "$missing" ]; then
    echo "bootstrap: missing packages:"
    printf '%s\n' "$missing" | while IFS='|' read -r name why; do printf '  %-34s %s\n' "$name" "$why"; done
    $check && exit 1
    # shellcheck disable=SC2046
    install_packages $(printf '%s\n' "$missing" | cut -d'|' -f1)
fi
$check && exit 0

# The browser driver. npm writes node_modules/.package-lock.json when an installation is complete.
interop=tests/interop
if ! $minimal && [ -f $interop/package-lock.json ]; then
    done_mark=$interop/node_modules/.package-lock.json
    if [ ! -f $done_mark ] || [ $interop/package-lock.json -nt $done_mark ]; then
        if command -v npm >/dev/null; then
            echo "bootstrap: npm packages of the browser tests ($interop)"
            # Not fatal: the tests that need it say that they are skipped.
            (cd $interop && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json) ||
                echo "bootstrap: npm failed; the browser tests will be skipped" >&2
        else
            echo "bootstrap: no npm; the browser tests will be skipped" >&2
        fi
    fi
fi

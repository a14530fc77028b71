#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Signaling over TLS with the command-line tool: certificates are verified, tokens and rooms are obeyed.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc wss
command -v openssl >/dev/null || skip_all wss "openssl is not installed"

make_ca() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$tmp/$1.key" -out "$tmp/$1.pem" 2>/dev/null
}
make_ca ca && make_ca other
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=signaling -keyout "$tmp/key.pem" -out "$tmp/csr" 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1\n' >"$tmp/ext"
openssl x509 -req -in "$tmp/csr" -CA "$tmp/ca.pem" -CAkey "$tmp/ca.key" -CAcreateserial -days 2 -extfile "$tmp/ext" \
    -out "$tmp/cert.pem" 2>/dev/null || { echo "not ok wss: no certificate could be made"; exit 1; }

start_signal --cert "$tmp/cert.pem" --key "$tmp/key.pem" --token sesame
port=$(sed -E 's/.*:([0-9]+).*/\1/' <<<"$url")

"$RMRTC" join "$url" --ca "$tmp/ca.pem" --token sesame --room r1 --peer-id a >"$tmp/a" 2>&1 &
pids+=($!)
wait_for "$START_S" grep -q "signaling ready" "$tmp/a"
if timeout 20 "$RMRTC" join "$url" --ca "$tmp/ca.pem" --token sesame --room r1 --peer-id b --until-connected 1 --duration 10 --json >"$tmp/b" 2>&1 &&
    tail -n 1 "$tmp/b" | grep -q '"state":"connected"'; then
    ok "wss: two peers connect over a verified server"
else
    not_ok "wss: two peers connect over a verified server" "$(tail -n 1 "$tmp/b")"
fi

# refused NAME ERROR ARGUMENT...: the join fails with exit code 1 and names the error.
refused() {
    local name=$1 error=$2 code=0
    shift 2
    timeout 20 "$RMRTC" join "$@" --duration 3 --json >"$tmp/out" 2>&1 || code=$?
    if [ $code = 1 ] && grep -q "\"name\":\"$error\"" "$tmp/out"; then
        ok "$name"
    else
        not_ok "$name" "exit code $code, wanted $error: $(tail -n 1 "$tmp/out")"
    fi
}
refused "wss: an unknown authority is refused" RM_E_TLS "$url" --ca "$tmp/other.pem" --token sesame
refused "wss: a host name that the certificate lacks is refused" RM_E_TLS "wss://localhost:$port/ws" --ca "$tmp/ca.pem" --token sesame
refused "wss: plain ws to a TLS server is refused" RM_E_SIGNALING "ws://127.0.0.1:$port/ws" --token sesame
timeout 20 "$RMRTC" join "$url" --ca "$tmp/ca.pem" --token wrong --duration 3 --json >"$tmp/out" 2>&1
if [ $? = 1 ] && grep -q '"error"' "$tmp/out" && ! grep -q wrong "$tmp/out"; then
    ok "wss: a wrong token is refused, and not repeated"
else
    not_ok "wss: a wrong token is refused, and not repeated" "$(tail -n 1 "$tmp/out")"
fi
if timeout 20 "$RMRTC" join "$url" --ca "$tmp/ca.pem" --token sesame --room r2 --peer-id c --duration 1 --json >"$tmp/out" 2>&1; then
    not_ok "wss: rooms are apart" "connected across rooms"
else
    ok "wss: rooms are apart"
fi
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The web page of rmrtc signal in Chromium. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc), RM_PAGE_PNG (page.png beside RMRTC's bin/: the screenshot), CHROMIUM,
# RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc page
require_chromium page
export RM_PAGE_PNG=${RM_PAGE_PNG:-$(dirname "$(dirname "$RMRTC")")/page.png}
if command -v openssl >/dev/null &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=page \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null; then
    export RM_PAGE_CERT=$tmp/cert.pem RM_PAGE_KEY=$tmp/key.pem
fi
run_browser_test 280 page_test.mjs "$@"

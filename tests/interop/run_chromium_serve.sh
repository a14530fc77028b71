#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Server mode against a page in the manner of RemoteMedia's browser client, in Chromium. Arguments: names of cases; none =
# all. Environment: RMRTC (build/bin/rmrtc), CHROMIUM (/usr/bin/chromium), RM_INTEROP_REQUIRED.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc chromium-serve
require_chromium chromium-serve
start_serve
run_browser_test 240 chromium_serve_test.mjs "$url" "$@" || failed=1
exit "$failed"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One room with two of rmrtc, our web page in Chromium, and aiortc; a conference. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc), CHROMIUM, RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc mixed
/usr/bin/python3 -c 'import aiortc' 2>/dev/null || skip_all mixed "Debian package python3-aiortc is not installed"
require_chromium mixed
run_browser_test 285 mixed_test.mjs "$@"

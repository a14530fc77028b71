#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Chromium against rmrtc. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc), CHROMIUM (/usr/bin/chromium), RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc chromium
require_chromium chromium
run_browser_test 240 chromium_test.mjs "$@"

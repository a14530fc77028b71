#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Data channels between Chromium and the library. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc; data_peer is found beside it), CHROMIUM, RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc chromium-data
require_data_peer chromium-data
require_chromium chromium-data
run_browser_test 240 chromium_data_test.mjs "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sound and pictures between Chromium and rmrtc. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc; media_check and the FFmpeg plug-in are found from there), CHROMIUM
# (/usr/bin/chromium), RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc chromium-media
require_media_check chromium-media
require_chromium chromium-media
run_browser_test 240 chromium_media_test.mjs "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Chromium against rmrtc. Arguments: the names of cases to run; none = all.
# Environment: RMRTC (build/bin/rmrtc), CHROMIUM (/usr/bin/chromium), RM_INTEROP_REQUIRED, RM_LOG.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
require_rmrtc chromium
CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
[ -x "$CHROMIUM" ] || skip_all chromium "there is no $CHROMIUM (Debian package chromium)"
command -v node >/dev/null || skip_all chromium "there is no node (Debian package nodejs)"
node -e 'process.exit(process.versions.node.split(".")[0] >= 18 ? 0 : 1)' ||
    skip_all chromium "node $(node --version) is older than 18, which playwright-core asks for"
cd "$here" || exit 1
if ! node -e 'import("playwright-core").catch(() => process.exit(1))' 2>/dev/null; then
    command -v npm >/dev/null || skip_all chromium "playwright-core is not installed and there is no npm"
    npm ci --no-audit --no-fund >"$tmp/npm" 2>&1 </dev/null ||
        skip_all chromium "playwright-core could not be installed: $(grep -m 1 -E 'npm (error|ERR!)' "$tmp/npm")"
fi
mkdir "$tmp/home"
# Playwright and Chromium keep everything below HOME and TMPDIR, so that it goes with them.
HOME=$tmp/home TMPDIR=$tmp XDG_CONFIG_HOME=$tmp/home XDG_CACHE_HOME=$tmp/home CHROMIUM=$CHROMIUM \
    timeout -k 5 120 node chromium_test.mjs "$@" </dev/null &
pids+=($!)
wait $!

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Takes the network of two connected `rmrtc join` processes away in several ways; see README.md. Arguments go to
# run_outage.py.
exec python3 -B "$(dirname "$0")/run_outage.py" "$@"

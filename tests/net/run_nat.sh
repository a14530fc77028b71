#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Connects two `rmrtc join` processes through every kind of NAT in network namespaces; see README.md. Arguments go to
# run_nat.py.
exec python3 -B "$(dirname "$0")/run_nat.py" "$@"

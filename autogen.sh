#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make ./configure from configure.ac; needs autoconf, automake, libtool and
# pkg-config.
set -e
cd "$(dirname "$0")"
for tool in autoreconf libtoolize pkg-config; do
    command -v "$tool" >/dev/null ||
        { echo "autogen.sh: $tool is missing (Debian: apt install autoconf automake libtool pkg-config)" >&2; exit 1; }
done
mkdir -p src/build/aux src/build/m4
autoreconf --install --force

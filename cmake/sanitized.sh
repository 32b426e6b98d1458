#!/bin/sh
# Builds a sanitizer preset and runs its suite: sanitized.sh <preset> <build folder>.
set -eu
jobs=$(nproc)
if [ ! -e "$2/CMakeCache.txt" ]; then
  cmake --preset "$1" -B "$2" >/dev/null
fi
cmake --build "$2" -j "$jobs" -- --quiet
exec ctest --test-dir "$2" --output-on-failure -j "$jobs"

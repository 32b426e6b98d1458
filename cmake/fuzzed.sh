#!/bin/sh
# Builds the fuzzers and lets each run for a few seconds: fuzzed.sh <build folder> <folder of the
# devices>. PERILUNE_FUZZ_SECONDS=600 sh cmake/fuzzed.sh build-fuzz build hunts for longer; what was
# found lies in the build folder. Answers 77 where clang cannot build fuzzers.
set -eu
build=$1 devices=$2 seconds=${PERILUNE_FUZZ_SECONDS:-3}

probe='#include <stddef.h>
int LLVMFuzzerTestOneInput(const unsigned char *d, size_t n) { return (void)d, (void)n, 0; }'
mkdir -p "$build"
if ! echo "$probe" | clang -fsanitize=fuzzer,address -x c - -o "$build/probe" 2>/dev/null; then
  echo "skipped: clang with -fsanitize=fuzzer is not here (Debian: clang, libclang-rt-14-dev)"
  exit 77
fi
if [ ! -e "$build/CMakeCache.txt" ]; then
  cmake --preset fuzz -B "$build" >/dev/null
fi
cmake --build "$build" --target fuzzers -j "$(nproc)" -- --quiet

export PERILUNE_LIB="$build" PERILUNE_ACCELERATORS="$devices"
export LUA_PATH="./lua/?.lua;./lua/?/init.lua;;"
export TMPDIR="$build/tmp"
rm -rf "$TMPDIR"
mkdir -p "$TMPDIR"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
PERILUNE_LIB=$devices luajit tests/fuzz/seeds.lua "$build/seeds"
for fuzzer in "$build"/fuzz/*_fuzz; do
  name=$(basename "$fuzzer" _fuzz)
  corpus="$build/corpus/$name"
  mkdir -p "$corpus"
  if ! "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -verbosity=0 \
    -artifact_prefix="$build/found-" "$corpus" "$build/seeds/$name" >"$build/$name.log" 2>&1; then
    cat "$build/$name.log"
    echo "found by the fuzzer of $name"
    exit 1
  fi
  echo "$name: nothing found in $seconds s"
done
rm -rf "$TMPDIR"

#!/bin/sh
# stranger.sh BUILD SOURCE [CFLAGS]: installs the build below BUILD/strangers/prefix and builds the
# accelerator in SOURCE against what was installed, as its author would, into
# BUILD/strangers/<name>.
set -e
build=$1 source=$2 flags=$3
name=$(basename "$source")
cmake --install "$build" --prefix "$build/strangers/prefix" >"$build/strangers-$name.log" 2>&1 ||
  { cat "$build/strangers-$name.log"; exit 1; }
cmake -S "$source" -B "$build/strangers/$name" -DCMAKE_PREFIX_PATH="$build/strangers/prefix" \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS="-Wall -Wextra -Werror $flags"
cmake --build "$build/strangers/$name"

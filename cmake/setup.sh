#!/bin/sh
# Installs the Debian packages that a target of the Makefile needs: setup.sh build|demo|test|doc.
# Says what is missing, replaces nothing that is installed, and is silent when all is there.
set -eu

target=${1:-build}

if ! command -v dpkg-query >/dev/null; then
  exit 0 # not Debian: CMake names what it cannot find
fi

installed() {
  case " $(dpkg-query -W -f='${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)" in
  *" installed:"*) return 0 ;;
  *) return 1 ;;
  esac
}

# luajit and luajit2 exclude each other: whichever is here is completed, never replaced.
luajit_packages() {
  if installed luajit libluajit-5.1-2 libluajit-5.1-dev; then
    echo luajit libluajit-5.1-dev
  elif ! installed luajit2 libluajit2-5.1-2 && command -v luajit >/dev/null &&
    pkg-config --exists luajit 2>/dev/null; then
    : # built by hand
  else
    echo luajit2 libluajit2-5.1-dev
  fi
}

packages="gcc libc6-dev make cmake pkg-config $(luajit_packages)
  libedit-dev libdeflate-dev lua-filesystem"
case $target in
build) ;;
demo) packages="$packages dataset-fashion-mnist" ;;
test) packages="$packages dataset-fashion-mnist lua-busted lua-term lua-cjson lua-check
  ocl-icd-opencl-dev pocl-opencl-icd clang libclang-rt-14-dev" ;;
doc) packages="$packages lua-ldoc" ;;
*) echo "setup.sh: no set-up called '$target'" >&2; exit 1 ;;
esac

# shellcheck disable=SC2086
have=$(dpkg-query -W -f='${db:Status-Status}:${Package} ' $packages 2>/dev/null || true)
missing=
for package in $packages; do
  case " $have" in
  *" installed:$package "*) continue ;;
  esac
  # Newer Debians have the program from another package.
  if [ "$package" = pkg-config ] && command -v pkg-config >/dev/null; then continue; fi
  missing="$missing $package"
done
if [ -z "$missing" ]; then exit 0; fi

echo "perilune needs these Debian packages:$missing"
command="apt-get install -y --no-remove --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "Install them, then run make again:"
  echo "  sudo apt-get update && sudo $command"
  exit 1
fi

install_missing() {
  $as_root env DEBIAN_FRONTEND=noninteractive $command
}

# The package lists are fetched only if they are absent, or too old for what they name to exist.
# shellcheck disable=SC2086
if ! apt-cache show --no-all-versions $missing >/dev/null 2>&1; then
  $as_root apt-get update
  install_missing
elif ! install_missing; then
  $as_root apt-get update
  install_missing
fi

#!/usr/bin/env bash
# Make the virtual environment .venv with the python given, and install Debian's missing part of `venv` where needed.
set -euo pipefail
python=${1:-python3}

if ! command -v "$python" >/dev/null; then
  echo "No $python was found. Install Python 3.11 or later, or name one: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$("$python" --version) is too old: Python 3.11 or later is needed. Name another: make PYTHON=python3.11" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  # Debian keeps these in a package of their own.
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  if ! command -v apt-get >/dev/null || { [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
    echo "Python's venv module is missing. As root: apt-get install python3-venv" >&2
    exit 1
  fi
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends python3-venv
fi
"$python" -m venv .venv

#!/usr/bin/env bash
# Installs Python tools at pinned versions: `tests/tools.sh <requirements> <folder>`.
#
# The folder is a link into the user's cache, to a virtual environment that is named after the requirements and Python's
# version. So all checkouts share it, and a copy of a checkout works (the scripts of a copied environment would not).
set -euo pipefail
requirements=$1
link=$2
python=${PYTHON:-python3}
cache=${TRELLIS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trellis}/tools

key=$({ cat "$requirements"; "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; } | sha256sum | cut -c1-16)
made=$cache/$key
mkdir -p "$cache" "$(dirname "$link")"
exec 9> "$made.lock"
flock 9 # Another checkout may be at it.
if [ ! -e "$made/complete" ]; then
  echo "tools: $requirements"
  rm -rf "$made"
  "$python" -m venv "$made"
  "$made/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  touch "$made/complete"
fi
if [ "$(readlink "$link" || true)" != "$made" ]; then
  rm -rf "$link"
  ln -s "$made" "$link"
fi

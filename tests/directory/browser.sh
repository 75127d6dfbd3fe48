#!/usr/bin/env bash
# Installs a browser of a pinned version into the user's cache, and leaves its path in .tools/browser. It comes from npm as one file
# that needs no library of the system.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=153.0.0
made=${TRELLIS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trellis}/tools/browser-$version
mkdir -p "$made" .tools
exec 9> "$made.lock"
flock 9 # Another checkout may be at it.
if [ ! -x "$made/chromium" ]; then
  echo "tools: a browser"
  npm install --prefix "$made/npm" --no-audit --no-fund --ignore-scripts --silent "@sparticuz/chromium@$version"
  # It unpacks itself into the folder for temporary files.
  (cd "$made/npm" && TMPDIR=$made node --input-type=module -e 'import chromium from "@sparticuz/chromium"; await chromium.executablePath();')
  rm -rf "$made/npm"
fi
echo "$made/chromium" > .tools/browser

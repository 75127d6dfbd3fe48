#!/usr/bin/env bash
# Builds tests/externaldns/externaldns if a source is younger than it.
set -euo pipefail
cd "$(dirname "$0")/externaldns"
# The flags of the test cluster's build: most of what is compiled is the same.
export GOFLAGS="-trimpath -buildvcs=false"

if [ ! -x externaldns ] || [ -n "$(find . -newer externaldns \( -name '*.go' -o -name 'go.*' \) -print -quit)" ]; then
  exec go build -o externaldns -ldflags "-s -w" .
fi

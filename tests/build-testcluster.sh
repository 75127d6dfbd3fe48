#!/usr/bin/env bash
# Builds tests/cluster/testcluster if a source is younger than it, and kubectl where the machine has none.
set -euo pipefail
cd "$(dirname "$0")/cluster"
export GOFLAGS="-trimpath -buildvcs=false"

if [ ! -x testcluster ] || [ -n "$(find . -newer testcluster \( -name '*.go' -o -name 'go.*' -o -name build.sh \) -print -quit)" ]; then
  ./build.sh
fi
if ! command -v kubectl > /dev/null && [ ! -x kubectl ]; then
  ./build.sh kubectl
fi

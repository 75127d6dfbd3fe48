#!/usr/bin/env bash
# Builds tests/actionlint/actionlint, which reads the workflow files, if its version is not the one that its go.mod names.
set -euo pipefail
cd "$(dirname "$0")/actionlint"
export GOFLAGS="-trimpath -buildvcs=false"

if [ ! -x actionlint ] || [ -n "$(find . -newer actionlint -name 'go.*' -print -quit)" ]; then
  exec go build -o actionlint -ldflags "-s -w" github.com/rhysd/actionlint/cmd/actionlint
fi

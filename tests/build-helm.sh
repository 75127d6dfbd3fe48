#!/usr/bin/env bash
# Builds tests/helm/helm, the Helm that the charts are tested with, if its version is not the one that tests/helm/go.mod names.
set -euo pipefail
cd "$(dirname "$0")/helm"
# The flags of the test cluster's build, and its version of Kubernetes: half of what is compiled is the same.
export GOFLAGS="-trimpath -buildvcs=false"

if [ ! -x helm ] || [ -n "$(find . -newer helm -name 'go.*' -print -quit)" ]; then
  exec go build -o helm -ldflags "-s -w" helm.sh/helm/v4/cmd/helm
fi

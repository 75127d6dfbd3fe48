#!/usr/bin/env bash
# All tests, fast to slow; stops at the first that fails. Each heading bears the time since the start.
set -euo pipefail
cd "$(dirname "$0")/.."

began=$SECONDS
step() {
  local title=$1
  shift
  printf '\n== %3d s  %s\n' $((SECONDS - began)) "$title"
  "$@"
}

mkdir -p .state/build
# The test cluster, Helm and ExternalDNS are the longest build; it runs beside the Rust ones.
# With job control it gets a process group, so that all of it ends when an earlier step fails.
set -m
{ tests/build-testcluster.sh && tests/build-helm.sh && tests/build-externaldns.sh; } > .state/build/testcluster.log 2>&1 &
testcluster=$!
set +m
trap 'kill -- "-$testcluster" 2>/dev/null || true' EXIT

built_testcluster() {
  wait "$testcluster" || { tail -n 40 .state/build/testcluster.log; return 1; }
}

step "Tools" make tools
step "Formatting, lints, template" make lint
step "The template and the harness" make test-harness
step "Unit, golden and property tests" make unit
step "The documentation" make docs
step "The simulation" make seeds
step "The emulator against boto3" make test-emulator
step "The service directory in a browser" make test-directory
step "The test cluster is built" built_testcluster
step "The test cluster's own tests" make test-cluster
step "The Kubernetes client against a real API server" make test-kube
step "The Helm charts" make test-charts
step "End to end" make e2e
printf '\n== %3d s  All passed.\n' $((SECONDS - began))

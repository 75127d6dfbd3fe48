#!/bin/sh
# Builds ./testcluster; `./build.sh kubectl` builds ./kubectl of the same Kubernetes version instead,
# for machines that have none.
#
# Without the -X flags the programs call themselves v0.0.0-master. -trimpath and -buildvcs=false are
# part of the build cache's key: use the same for every other go command here, or wait minutes.
set -eu
cd "$(dirname "$0")"
export GOFLAGS="-trimpath -buildvcs=false"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.}
minor=${minor%%.*}
p=k8s.io/component-base/version
ldflags="-s -w -X $p.gitVersion=$version -X $p.gitMajor=1 -X $p.gitMinor=$minor -X $p.gitTreeState=clean"
case "${1:-testcluster}" in
testcluster) exec go build -o testcluster -ldflags "$ldflags" . ;;
kubectl) exec go build -o kubectl -ldflags "$ldflags" k8s.io/kubernetes/cmd/kubectl ;;
*)
	echo "usage: build.sh [testcluster|kubectl]" >&2
	exit 2
	;;
esac

#!/usr/bin/env bash
# PostgreSQL's server and psql for the end-to-end tests: Debian's packages, where the machine has none.
set -euo pipefail
has() { command -v "$1" > /dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" > /dev/null; }
if has postgres && has initdb && has psql; then
  exit 0
fi
if ! command -v apt-get > /dev/null || [ "$(id -u)" != 0 ]; then
  echo "PostgreSQL (postgres, initdb and psql) is needed: install it by the machine's package manager" >&2
  exit 1
fi
echo "tools: PostgreSQL"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql > /dev/null

#!/usr/bin/env bash
# Compiles every program that runs locally: the functions, the webhook, the emulator and the command line.
#
# --workspace and --examples are for the features that dependencies are compiled with: they are then those of
# `cargo test --workspace`, so that tests and stacks share what is compiled. (Only where tests, examples or benches are asked for
# does cargo mind the features that dev-dependencies ask for.)
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 exec "${PYTHON:-python3}" -m stack.cargo build --workspace --locked --bins --examples "$@"

#!/usr/bin/env bash
# Compiles every program that runs locally: the functions, the webhook and the emulator.
#
# --workspace and --examples are for the features that dependencies are compiled with: they are then those of
# `cargo test --workspace`, so that tests and stacks share what is compiled. (Only where tests, examples or benches are asked for
# does cargo mind the features that dev-dependencies ask for.)
# The command line is no part of a stack, and asks no crate that others share for a feature of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 exec "${PYTHON:-python3}" -m stack.cargo build --workspace --exclude trellis-cli --locked --bins --examples "$@"

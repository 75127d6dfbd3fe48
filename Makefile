# `make` alone lists the targets. Everything that is downloaded comes from package registries; everything that is
# made stays in target/, .tools/, .state/ and .aws-sam/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
TOOLS := .tools/aws
MINISTACK := .tools/ministack
BOTO3 := .tools/boto3
PY := PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(TOOLS)/bin/python
PYTEST := $(PY) -m pytest -q -p no:cacheprovider
GO_FLAGS := GOFLAGS="-trimpath -buildvcs=false"

export SAM_CLI_TELEMETRY = 0
export AWS_DEFAULT_REGION = us-west-2
# cargo-lambda may ask rustup for a target; nothing is fetched but from the registries.
export RUSTUP_DIST_SERVER = http://127.0.0.1:9

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

# The stamp of a tool folder is a copy of the requirements that it was made from.
$(TOOLS)/requirements.txt: requirements-tools.txt
	@echo "tools: $(TOOLS)"
	test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check -r $<
	cp $< $@

$(MINISTACK)/requirements.txt: requirements-ministack.txt
	@echo "tools: $(MINISTACK)"
	test -x $(MINISTACK)/bin/python || $(PYTHON) -m venv $(MINISTACK)
	$(MINISTACK)/bin/pip install --quiet --disable-pip-version-check -r $<
	cp $< $@

$(BOTO3)/requirements.txt: tests/emulator/boto3/requirements.txt
	@echo "tools: $(BOTO3)"
	test -x $(BOTO3)/bin/python || $(PYTHON) -m venv $(BOTO3)
	$(BOTO3)/bin/pip install --quiet --disable-pip-version-check -r $<
	cp $< $@

.PHONY: tools
tools: $(TOOLS)/requirements.txt $(MINISTACK)/requirements.txt ## Install the pinned tools into .tools/ when they are missing or changed

.PHONY: build
build: tools ## Build the functions, the webhook, the emulator and the test cluster
	@$(PY) -m stack build

.PHONY: lint
lint: tools ## Formatting and lints of Rust, Go, Python and the template
	@cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	test -z "$$(gofmt -l tests/cluster)" || { gofmt -l tests/cluster; exit 1; }
	$(TOOLS)/bin/ruff check --no-cache tests
	MYPYPATH=tests $(TOOLS)/bin/mypy --strict --ignore-missing-imports --cache-dir .tools/mypy -p stack -p demo -p bench -p conformance
	$(MAKE) lint-template

.PHONY: lint-template
lint-template: tools
	@$(TOOLS)/bin/cfn-lint template.yaml
	$(TOOLS)/bin/sam validate --lint

.PHONY: test-harness
test-harness: tools ## Tests of the template, of the local stack and of the conformance runner
	@$(PYTEST) tests/stack tests/conformance

.PHONY: unit
unit: ## Unit, golden and property tests of all crates
	@cargo test --workspace --locked --quiet

.PHONY: test-cluster
test-cluster: ## Tests of the test cluster's own code
	@cd tests/cluster && $(GO_FLAGS) go test ./...

# By --workspace the programs that `make unit` built are taken as they are.
.PHONY: test-kube
test-kube: ## The Kubernetes client against a real API server
	@tests/build-testcluster.sh
	PATH="$$PATH:$(CURDIR)/tests/cluster" TRELLIS_TESTCLUSTER="$(CURDIR)/tests/cluster/testcluster" \
	  cargo test --workspace --locked --quiet --test real_api_server

.PHONY: test-emulator
test-emulator: $(BOTO3)/requirements.txt ## The emulator against boto3 and the AWS CLI
	@cargo build --locked --quiet -p lattice-emulator
	PYTHONDONTWRITEBYTECODE=1 $(BOTO3)/bin/python -m pytest -q -p no:cacheprovider tests/emulator/boto3

.PHONY: e2e
e2e: build ## End to end on the local stack
	@$(PYTEST) tests/e2e

.PHONY: test
test: ## Everything, fast to slow
	@tests/run-all.sh

.PHONY: demo
demo: build ## The guide's walk-through, on a stack of its own
	@$(PY) -m demo

.PHONY: demo-up
demo-up: tools ## Start the stack and leave it running
	@$(PY) -m stack up

.PHONY: demo-down
demo-down: ## End the stack that demo-up left running
	@$(PY) -m stack down

.PHONY: bench
bench: build ## Figures of the deployed stack: time to converge, calls
	@$(PY) -m bench

.PHONY: golden
golden: ## Rewrite the golden files
	@UPDATE_GOLDEN=1 cargo test --workspace --locked --quiet

.PHONY: clean
clean: ## Remove all that was built, tools and states included
	@if [ -x $(TOOLS)/bin/python ]; then $(PY) -m stack down; fi
	cargo clean --quiet
	rm -rf .aws-sam .state .tools tests/cluster/testcluster tests/cluster/kubectl

.PHONY: conformance
conformance: build ## The Gateway API conformance suite, on a stack of its own
	@$(PY) -m conformance

# `make` alone lists the targets. Everything that is downloaded comes from package registries; everything that is made
# stays in target/, .tools/, .state/ and .aws-sam/, and in the cache of the user that all checkouts share (TRELLIS_CACHE).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
TOOLS := .tools/aws
MINISTACK := .tools/ministack
BOTO3 := .tools/boto3
BROWSER := .tools/playwright
DOCS := .tools/docs
RELEASE := .tools/release
CARGO_PLUGINS := .tools/cargo
PY := PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(TOOLS)/bin/python
PYTEST := $(PY) -m pytest -q -p no:cacheprovider
# cargo, sharing compiled dependencies with other checkouts.
CARGO := PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m stack.cargo
GO_FLAGS := GOFLAGS="-trimpath -buildvcs=false"

export SAM_CLI_TELEMETRY = 0
export AWS_DEFAULT_REGION = us-west-2
export PYTHON

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: tools
tools: ## Install the pinned tools, as links in .tools/, when they are missing or changed
	@tests/tools.sh requirements-tools.txt $(TOOLS)
	tests/tools.sh requirements-ministack.txt $(MINISTACK)

.PHONY: build
build: tools ## Build the functions, the webhook, the emulator and the test cluster
	@$(PY) -m stack build

.PHONY: lint
lint: tools ## Formatting and lints of Rust, Go, Python and the template
	@tests/tools.sh requirements-cargo.txt $(CARGO_PLUGINS)
	cargo fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(MAKE) lint-docs
	$(CARGO_PLUGINS)/bin/cargo-shear --locked
	$(CARGO_PLUGINS)/bin/cargo-deny --locked --log-level error check --hide-inclusion-graph licenses bans sources
	test -z "$$(gofmt -l tests/cluster tests/externaldns)" || { gofmt -l tests/cluster tests/externaldns; exit 1; }
	$(TOOLS)/bin/ruff check --no-cache tests
	$(TOOLS)/bin/ruff check --no-cache --config tests/ruff.toml migrate
	MYPYPATH=tests $(TOOLS)/bin/mypy --strict --ignore-missing-imports --cache-dir .tools/mypy -p stack -p demo -p bench -p conformance -p charts -p e2e -p pages -p migrate
	$(MAKE) lint-template
	$(MAKE) lint-github

# Every link of a docstring leads somewhere; --examples as in tests/build-programs.sh. A program that has a library of its
# name has its words there.
.PHONY: lint-docs
lint-docs:
	@RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" \
	  cargo doc --workspace --no-deps --locked --quiet --document-private-items --lib --bin reconcile --bin drift --examples

.PHONY: lint-template
lint-template: tools
	@$(TOOLS)/bin/cfn-lint template.yaml
	$(TOOLS)/bin/sam validate --lint

# The schemas come with the tool.
.PHONY: lint-github
lint-github:
	@tests/tools.sh requirements-docs.txt $(DOCS)
	tests/build-actionlint.sh
	tests/actionlint/actionlint
	schema() { $(DOCS)/bin/check-jsonschema --builtin-schema "$$@"; }
	schema custom.github-workflows-require-timeout .github/workflows/*.yml
	schema vendor.dependabot .github/dependabot.yml
	schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	schema vendor.github-issue-forms $$(ls .github/ISSUE_TEMPLATE/*.yml | grep -v config.yml)

.PHONY: test-harness
test-harness: tools ## Tests of the template, of the local stack and of the conformance runner
	@$(PYTEST) tests/stack tests/conformance

.PHONY: unit
unit: ## Unit, golden and property tests of all crates
	@$(CARGO) test --no-run --workspace --locked --quiet
	cargo test --workspace --locked --quiet

# Without optimisation a seed takes ten times as long; link-time optimisation would take longer than it saves here.
.PHONY: seeds
seeds: export CARGO_PROFILE_SIM_LTO = off
seeds: export CARGO_PROFILE_SIM_CODEGEN_UNITS = 16
seeds: ## The simulation: its fixed seeds, those that once failed, and some that nobody has run before
	@cargo test --profile sim --locked --quiet -p trellis-engine --test simulation

# Seeds 0 to SEEDS-1; two free cores run about eight a second.
.PHONY: sim
sim: SEEDS = 10000
sim: ## Many seeds of the simulation (SEEDS=n), in an optimised build
	@cargo test --profile sim --locked --quiet -p trellis-engine --test simulation --no-run
	TRELLIS_SEEDS=$(SEEDS) cargo test --profile sim --locked --quiet -p trellis-engine --test simulation rest_as_the_objects_ask -- --nocapture

.PHONY: breaks
breaks: ## Break the product on purpose in many ways, and see which law of the simulation catches it
	@PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m stack.breaks

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
test-emulator: ## The emulator against boto3 and the AWS CLI
	@tests/tools.sh tests/emulator/boto3/requirements.txt $(BOTO3)
	tests/build-programs.sh --quiet
	PYTHONDONTWRITEBYTECODE=1 $(BOTO3)/bin/python -m pytest -q -p no:cacheprovider tests/emulator/boto3

.PHONY: test-directory
test-directory: ## The service directory's page, with a thousand services, in a real browser
	@tests/directory/browser.sh
	tests/tools.sh tests/directory/requirements.txt $(BROWSER)
	tests/build-programs.sh --quiet
	PYTHONDONTWRITEBYTECODE=1 $(BROWSER)/bin/python -m pytest -q -p no:cacheprovider tests/directory

# MkDocs does not count warnings with --quiet, and no anchors with --verbose.
.PHONY: docs
docs: tools ## The documentation as a site in .state/site, strictly, and what it says compared with the code
	@tests/tools.sh requirements-docs.txt $(DOCS)
	tests/build-programs.sh --quiet
	PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict
	$(PYTEST) tests/pages

.PHONY: test-charts
test-charts: tools ## The Helm charts: what they render, and on a real API server
	@tests/build-testcluster.sh
	tests/build-helm.sh
	$(PYTEST) tests/charts

.PHONY: manifests
manifests: tools ## Rewrite the files of deploy/ that the chart renders, for kustomize
	@tests/build-helm.sh
	UPDATE_GOLDEN=1 $(PYTEST) tests/charts/test_templates.py -k for_kustomize

# The tests mostly wait, for delays that the emulator has on purpose: two stacks beside each other take half the time.
.PHONY: e2e
e2e: STACKS = 2
e2e: build ## End to end on STACKS=2 local stacks at once, a file of tests on one of them
	@tests/build-externaldns.sh
	tests/postgres.sh
	$(PYTEST) --numprocesses $(STACKS) --dist loadfile --no-loadscope-reorder --durations 25 tests/e2e

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

.PHONY: bench-drift
bench-drift: ROUTES = 1000
bench-drift: CLUSTERS = 2
bench-drift: ## Figures of a drift pass over ROUTES=1000 routes in CLUSTERS=2 clusters, with 50 ms a call
	@cargo build --profile measure --locked --quiet -p lattice-emulator
	LATTICE_EMULATOR=$(CURDIR)/target/measure/lattice-emulator TRELLIS_ROUTES=$(ROUTES) TRELLIS_CLUSTERS=$(CLUSTERS) \
	  cargo test --profile measure --locked --quiet -p trellis-wiring --test drift -- --nocapture a_pass

.PHONY: bench-plan
bench-plan: ROUTES = 1000
bench-plan: ## Time and memory of `trellis plan` for ROUTES=1000 routes, as users build it
	@cargo build --release --locked --quiet -p trellis-cli
	PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m bench.plan --routes $(ROUTES) "$${CARGO_TARGET_DIR:-target}/release/trellis"

.PHONY: golden
golden: ## Rewrite the golden files
	@UPDATE_GOLDEN=1 cargo test --workspace --locked --quiet

# What is deployed to AWS. cargo-lambda may ask rustup for a target; nothing is fetched but from the registries.
.PHONY: release
release: tools ## What `sam build` makes for AWS, and its sizes
	@tests/tools.sh requirements-release.txt $(RELEASE)
	PATH="$(CURDIR)/$(RELEASE)/bin:$$PATH" RUSTUP_DIST_SERVER=http://127.0.0.1:9 $(TOOLS)/bin/sam build
	for program in .aws-sam/build/*/bootstrap; do
	  printf '%s: %d bytes, %d in the zip\n' "$$program" "$$(stat -c %s "$$program")" "$$(gzip -c "$$program" | wc -c)"
	done

.PHONY: clean
clean: ## Remove all that was built here; what checkouts share stays (clean-cache)
	@if [ -x $(TOOLS)/bin/python ]; then $(PY) -m stack down; fi
	cargo clean --quiet
	rm -rf .aws-sam .state .tools tests/cluster/testcluster tests/cluster/kubectl tests/externaldns/externaldns tests/helm/helm tests/actionlint/actionlint

.PHONY: clean-cache
clean-cache: ## Remove the tools and the compiled dependencies that all checkouts share
	@rm -rf "$${TRELLIS_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/trellis}"

.PHONY: migration
migration: build ## From the real AWS Gateway API Controller and back (CONTROLLER=its built program)
	@test -x "$(CONTROLLER)" || { echo "CONTROLLER=<program>: build cmd/aws-application-networking-k8s of its repository" >&2; exit 2; }
	TRELLIS_PEER_CONTROLLER=$(abspath $(CONTROLLER)) $(PYTEST) -s tests/e2e/test_migration.py

.PHONY: conformance
conformance: build ## The Gateway API conformance suite, on a stack of its own
	@$(PY) -m conformance

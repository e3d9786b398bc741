# `make help` lists what there is to do.
SWIFT_FLAGS := -c release --explicit-target-dependency-import-check error
WALLET := .build/release/wallet
# For `make bench` and `make run`: options of the command, as in `make run OPTIONS="--port 9000"`.
OPTIONS ?=

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
.PHONY: help run build test test-unit test-integration lint format documents bench clean

help: ## Lists the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 28

run: build ## Builds, and runs the service for this laptop: loopback, a fresh key, curl lines.
	$(WALLET) serve --dev $(OPTIONS)

build: ## Builds the program, .build/release/wallet.
	@scripts/install-packages build
	swift build $(SWIFT_FLAGS) --product wallet

test: test-unit test-integration ## Runs every test, on real servers that it starts and stops.

test-unit: ## Runs the tests in Swift.
	@scripts/install-packages test
	swift build $(SWIFT_FLAGS) --build-tests
	swift test -c release --skip-build --disable-xctest | grep -v '^◇'

test-integration: build ## Runs the tests that talk to the program over sockets.
	@scripts/install-packages test
	@scripts/python-environment
	.venv/bin/python -m pytest -q Tests/IntegrationTests $(OPTIONS)

lint: ## Checks the format of all sources.
	@scripts/install-packages test
	@scripts/python-environment
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	.venv/bin/ruff check --quiet .
	@for script in scripts/install-packages scripts/python-environment .ci/run; do bash -n "$$script" || exit 1; done

format: ## Formats the Swift sources.
	swift format --in-place --parallel --recursive Package.swift Sources Tests

documents: build ## Makes docs/errors.md and the page at /docs anew, from code and contract.
	@scripts/python-environment
	$(WALLET) docs errors >docs/errors.md
	.venv/bin/python docs/reference_page.py

bench: build ## Measures what docs/performance.md shows, on this machine.
	$(WALLET) bench --self --scenario compare $(OPTIONS)

clean: ## Removes what was built; ledgers stay.
	swift package clean

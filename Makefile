# Everything here sets itself up: python3 (>= 3.11, with venv), make and git are enough. `make help` lists the targets.

PYTHON ?= python3
ARGS   ?=

MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/sh

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

# Settings of the caller's shell that would change what a locked installation installs, or where.
unexport PIP_CONSTRAINT PIP_FIND_LINKS PIP_NO_BINARY PIP_NO_DEPS PIP_PREFIX PIP_REQUIRE_HASHES PIP_TARGET PIP_USER
unexport PYTHONHOME PYTHONPATH UV_FIND_LINKS
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Material for MkDocs prints a notice about MkDocs 2 on every build.
export NO_MKDOCS_2_WARNING := 1

# The environment holds for one folder and one interpreter: a moved clone or an upgraded Python makes it anew.
PLACE := $(CURDIR) $(shell readlink -f $(BIN)/python 2>/dev/null)
ifneq ($(shell cat $(READY) 2>/dev/null),$(PLACE))
.PHONY: $(READY)
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(READY) ## Make .venv from requirements.lock (every other target does it by itself)
	@echo "$(VENV) is ready"

$(READY): pyproject.toml requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) …"
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@echo "$(CURDIR) $$(readlink -f $(BIN)/python)" >$@

.PHONY: demo
demo: $(READY) ## See real Grok client code governed: simulator, sidecar, the OpenAI SDK
	@$(BIN)/grokwarden demo $(ARGS)

.PHONY: test
test: $(READY) ## Run the tests (ARGS="-k stream -x" goes to pytest)
	@$(BIN)/pytest $(ARGS)
	@echo "The tests are not all: 'make check' looks at style, types, layers, generated files and the docs,"
	@echo "and 'make test-cluster' runs those that need a Kubernetes API server, which it builds and starts."

.PHONY: test-cluster
test-cluster: $(READY) ## Run the tests on a real API server (the first time it is built: 5 minutes)
	@$(BIN)/pytest tests/cluster $(ARGS)

.PHONY: check
check: lint types layers drift shadowing docs ## Everything but the tests: the six targets below

.PHONY: lint
lint: $(READY) ## Style and formatting (ruff)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "not formatted as above: run 'make format'" >&2; exit 1; }
	@echo "lint: fine"

.PHONY: types
types: $(READY) ## Types (mypy, strict)
	@$(BIN)/mypy

.PHONY: layers
layers: $(READY) ## Who may import whom (import-linter)
	@$(BIN)/lint-imports --no-logo

.PHONY: drift
drift: $(READY) ## Generated files are up to date
	@$(BIN)/python -m grokwarden.edge.generate --check

.PHONY: shadowing
shadowing: $(READY) ## Nothing here hides the standard library's operator module
	@$(BIN)/python tools/check_shadowing.py

.PHONY: docs
docs: $(READY) ## Build the docs into site/, strictly
	@$(BIN)/mkdocs build --strict --quiet
	@echo "docs: fine, site/index.html"

.PHONY: format
format: $(READY) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

.PHONY: generate
generate: $(READY) ## Write the CRDs and the reference from the models
	@$(BIN)/python -m grokwarden.edge.generate

.PHONY: bench
bench: $(READY) ## Measure what the sidecar costs (a few quiet minutes)
	@$(BIN)/python benchmarks/run.py $(ARGS)

.PHONY: bench-convergence
bench-convergence: $(READY) ## Measure how fast a change reaches every sidecar (ten quiet minutes)
	@$(BIN)/python -m benchmarks.convergence $(ARGS)

# uv, if there is none, goes into a venv of its own: it is no part of what it locks.
UV := $(shell command -v uv 2>/dev/null || echo $(VENV)/uv/bin/uv)

.PHONY: lock
lock: ## Pin every dependency with its hashes (ARGS=--upgrade takes newer ones)
	@command -v $(UV) >/dev/null || { $(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install --quiet uv; }
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --no-header \
		pyproject.toml -o requirements.lock $(ARGS)
	@echo "requirements.lock: $$(grep -c '^[a-z0-9]' requirements.lock) pins"

.PHONY: clean
clean: ## Remove all that the other targets made, .venv included
	@rm -rf $(VENV) site dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# SPDX-License-Identifier: AGPL-3.0-or-later
# `make` alone lists what can be made.

UV_VERSION := 0.13.9
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
JOBS ?= auto

.PHONY: help demo test check bench build test-install setup format clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/.ready: uv.lock pyproject.toml
	@echo "Setting up in .venv (a minute the first time)..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Latchstring needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
	else echo "Python's venv module is missing. On Debian, as root: apt-get install python3-venv"; exit 1; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync --frozen --quiet
	@touch $@

setup: .venv/.ready ## install what is needed into .venv

demo: .venv/.ready ## found a demonstration door and run it on http://127.0.0.1:8400 (ARGS="--port 8500")
	@$(BIN)/latchstring demo $(ARGS)

check: .venv/.ready ## what every commit must pass, in under two minutes
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }
	@$(BIN)/python -m pytest -q -n $(JOBS) tests/unit tests/vectors

test: .venv/.ready ## everything: linters, types, the wheel, every test (under 15 minutes on two cores)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }
	@$(MAKE) --no-print-directory test-install
	@HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -n $(JOBS) tests

bench: .venv/.ready ## the figures, each beside its peer or limit (ARGS="verify --quick")
	@$(BIN)/python -m bench $(ARGS)

build: .venv/.ready ## wheel and source archive in dist/
	@rm -rf dist
	@$(BIN)/uv build --quiet --out-dir dist

test-install: build ## the wheel, in a clean environment outside this folder, plays the demo story
	@d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && \
	  $(BIN)/uv export --frozen --no-dev --no-emit-project --quiet -o "$$d/requirements.txt" && \
	  $(BIN)/uv venv --quiet --python $(BIN)/python "$$d/venv" && \
	  $(BIN)/uv pip install --quiet --python "$$d/venv/bin/python" -r "$$d/requirements.txt" dist/*.whl && \
	  cd "$$d" && venv/bin/latchstring --help >/dev/null && venv/bin/latchstring demo --once

format: .venv/.ready ## put the code into its one layout
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

clean: ## remove what was made
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

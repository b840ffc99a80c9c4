# SPDX-License-Identifier: AGPL-3.0-or-later
# `make` alone lists what can be made. Needs Python 3.11 or newer; everything else goes into .venv.

UV_VERSION := 0.13.9
# By another name: a recipe that says $(MAKE) itself is carried out by `make -n` too.
AGAIN = $(MAKE)
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
# One worker more than there are processors: one of them often waits for a server.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Where tests put their files: in memory where there is room, which saves about a third of the time; else (or with
# `make test TEST_FILES=`) in the system's own folder.
TEST_FILES ?= $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 { print "/dev/shm" }')

# The locked environment, whatever else is active in the shell; never an interpreter fetched from elsewhere. What is
# compiled is kept: tests start hundreds of processes.
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check bench chaos setup lint build test-install format clean frontend node chromium firefox tor fonts test-all screenshots catalogues

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: .venv/.ready ## found a demonstration door and run it on http://127.0.0.1:8400 (ARGS="--port 8500")
	@$(BIN)/latchstring demo $(ARGS)

test: lint node chromium firefox ## linters, types, the wheel, every test but what test-all adds (some 15 minutes on two cores)
	@said=$$(mktemp) && trap 'rm -f "$$said"' EXIT && trap 'kill $$installed; exit 130' INT TERM && \
	  { $(AGAIN) -s test-install >"$$said" 2>&1 & installed=$$!; \
	  PYTEST_DEBUG_TEMPROOT="$(TEST_FILES)" HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest \
	    -n $(JOBS) --dist loadfile --no-loadscope-reorder $(MATRIX) tests; tested=$$?; \
	  wait $$installed || { cat "$$said" >&2; echo "The wheel does not hold: see above." >&2; exit 1; }; exit $$tested; }

test-all: tor ## 'make test', with all languages, all paths in Firefox, a Tor network, and what is slow and like another test (half an hour)
	@$(MAKE) test MATRIX=--matrix

check: lint ## what every commit must pass, in some three minutes
	@PYTEST_DEBUG_TEMPROOT="$(TEST_FILES)" $(BIN)/python -m pytest -q -n $(JOBS) tests/unit tests/vectors

bench: .venv/.ready ## the figures, each beside its peer or limit (ARGS="verify --quick")
	@$(BIN)/python -m bench $(ARGS)

chaos: .venv/.ready ## servers killed 200 times, at every change and under load; full and torn disks, jumping clocks: what is left? (ARGS="--kills 20")
	@$(BIN)/python -m tests.chaos $(ARGS)

setup: .venv/.ready ## install what is needed into .venv
	@:

# Made again when what is locked has changed. A .venv without a working pip is the rest of a set-up that was cut off.
.venv/.ready: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Latchstring needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up in .venv (a minute the first time)..."
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    said=$$(apt-get update -qq 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv 2>&1) \
	      || { echo "$$said" >&2; exit 1; }; \
	  else echo "Python's venv module is missing. On Debian, as root: apt-get install python3-venv" >&2; exit 1; fi; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore uv==$(UV_VERSION)
	@$(BIN)/uv sync --frozen --quiet
	@touch $@

lint: .venv/.ready ## linters and types alone
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said" >&2; exit 1; }

frontend: node ## build the pages' scripts anew into src/latchstring/site/static (what is committed there is enough to run a door)
	@cd frontend && node build.mjs

node: frontend/node_modules/.ready # what the pages' scripts are built and tested with
	@:

frontend/node_modules/.ready: frontend/package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    said=$$(apt-get update -qq 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq nodejs npm 2>&1) \
	      || { echo "$$said" >&2; exit 1; }; \
	  else echo "Node.js and npm are missing. On Debian, as root: apt-get install nodejs npm" >&2; exit 1; fi; }
	@cd frontend && said=$$(npm ci --ignore-scripts --no-audit --no-fund 2>&1) || { echo "$$said" >&2; exit 1; }
	@touch $@

# The browsers in which the pages are tested, and Tor; their tests are skipped, in words, where one is missing.
chromium:
	@$(call program,chromium,chromium-browser,chromium)

firefox:
	@$(call program,firefox-esr,firefox,firefox-esr)

tor:
	@command -v tor >/dev/null || [ "$$(id -u)" != 0 ] || [ ! -d /run/systemd/system ] \
	  || echo "Debian's tor starts as a service once it is installed. The tests need none: systemctl disable --now tor" >&2
	@$(call program,tor,tor,tor)

# With the same letters, pictures are the same on every machine.
fonts:
	@fc-list 2>/dev/null | grep -q NotoSans-Regular || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    said=$$(apt-get update -qq 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq fontconfig fonts-noto-core 2>&1) \
	      || { echo "$$said" >&2; exit 1; }; \
	  else echo "Noto Sans is missing: pictures will look otherwise. On Debian, as root: apt-get install fonts-noto-core" >&2; fi; }

# program: one of two programs' names, or else Debian's package
program = command -v $(1) >/dev/null || command -v $(2) >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    said=$$(apt-get update -qq 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(3) 2>&1) \
	      || { echo "$$said" >&2; exit 1; }; \
	  else echo "$(1) is missing: its tests will be skipped. On Debian, as root: apt-get install $(3)" >&2; fi; }

screenshots: .venv/.ready chromium fonts ## a picture of every page for sources in every state into docs/pictures (ARGS="write-sent --dark --out DIR")
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

CATALOGUES := src/latchstring/site/locale
catalogues: .venv/.ready ## gather the pages' texts anew into the translators' catalogues (src/latchstring/site/locale)
	@$(BIN)/pybabel -q extract -F $(CATALOGUES)/babel.cfg -k texts -k many:1,2 -k plural:1,2 --add-location=file --sort-by-file --width=120 \
	  --project=latchstring --copyright-holder="The Latchstring authors" -o $(CATALOGUES)/site.pot src/latchstring/site
	@sed -i '/^"POT-Creation-Date/d' $(CATALOGUES)/site.pot
	@for code in ru uk fr es ar; do \
	  [ -f $(CATALOGUES)/$$code/LC_MESSAGES/site.po ] && how="update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=120" || how=init; \
	  $(BIN)/pybabel -q $$how -D site -i $(CATALOGUES)/site.pot -d $(CATALOGUES) -l $$code || exit 1; done

build: .venv/.ready ## source archive, and from it the wheel, in dist/
	@rm -rf dist
	@$(BIN)/uv build --quiet --out-dir dist

ARCHIVE := import hashlib; from latchstring.site.archive import source_archive as made; print(hashlib.sha256(made()).hexdigest())
test-install: build ## the wheel, in a clean environment outside this folder, plays the demo story and offers the same source
	@d=$$(mktemp -d) && trap 'rm -rf "$$d"' EXIT && trap 'exit 130' INT TERM && \
	  $(BIN)/uv export --frozen --no-dev --no-emit-project --quiet -o "$$d/requirements.txt" && \
	  $(BIN)/uv venv --quiet --python $(BIN)/python "$$d/venv" && \
	  $(BIN)/uv pip install --quiet --python "$$d/venv/bin/python" -r "$$d/requirements.txt" dist/*.whl && \
	  here=$$($(BIN)/python -c '$(ARCHIVE)') && \
	  cd "$$d" && { [ "$$(venv/bin/python -c '$(ARCHIVE)')" = "$$here" ] || { \
	    echo "/source.tar.gz is another one where the wheel is installed." >&2; exit 1; }; } && \
	  venv/bin/latchstring --help >/dev/null && venv/bin/latchstring demo --once

format: .venv/.ready ## put the code into its one layout
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

clean: ## remove what was made
	@rm -rf .venv dist frontend/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

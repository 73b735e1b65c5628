# `make run`, `make test`, `make check`: each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Also pins what builds the package (hatchling), which pip fetches by itself.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak wheel clean

help:  ## Show what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("stslab needs Python 3.11 or later; this is %d.%d. Say which with: make PYTHON=python3.12 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo 'This Python has no venv module (on Debian and Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'Making .venv ...' >&2; $(PYTHON) -m venv $(VENV); }
	@echo 'Installing stslab into .venv ...' >&2
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@echo 'Installing what the tests need ...' >&2
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

run: $(VENV)/.installed  ## Walk through the lab on the embedded account
	@$(BIN)/stslab run

test: $(VENV)/.tested  ## Run every test
	@$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/.tested  ## Lint, type-check, and check who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(VENV)/.benched: $(VENV)/.tested
	@echo 'Installing what is measured against ...' >&2
	@$(BIN)/python -m pip install --quiet --editable '.[test,bench]'
	@touch $@

bench: $(VENV)/.benched  ## Measure everything that should be fast, as ratios
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.tested  ## The exhaustive tests, which take long
	@$(BIN)/python -m pytest -n auto -m soak

wheel: $(VENV)/.installed  ## Build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## Remove .venv and what builds leave behind
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

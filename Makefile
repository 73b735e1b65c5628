# `make run`, `make test`, `make check`: each sets up what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Else each start compiles stslab, and what it imports, anew.
unexport PYTHONDONTWRITEBYTECODE
# Also what builds the package (hatchling) is pinned; pip reads its one setting for both.
export UV_CONSTRAINT := $(PIP_CONSTRAINT)
export UV_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
# uv takes a third of pip's time; pip does it where uv can't, as behind an index that only pip knows.
INSTALL = { test -x $(BIN)/uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable "$$what"; } || \
	$(BIN)/python -m pip install --quiet --editable "$$what"
# What the quick tests must reach of each package, in per cent: lines and branches.
FLOORS := aws:85 kinds:96 lab:96 lesson:80 policy:97 render:77 runner:88 sandbox/state:90

.DEFAULT_GOAL := help
.PHONY: help run test cover check bench soak wheel clean

help:  ## Show what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("stslab needs Python 3.11 or later; this is %d.%d. Say which with: make PYTHON=python3.12 ..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo 'This Python has no venv module (on Debian and Ubuntu: apt install python3-venv).' >&2; exit 1; }
	@test -x $(BIN)/python || { echo 'Making $(VENV) ...' >&2; $(PYTHON) -m venv $(VENV); }
	@echo 'Installing stslab into $(VENV) ...' >&2
	@$(BIN)/python -m pip install --quiet uv || true
	@what=.$$(command -v aws >/dev/null || echo '[cli]'); $(INSTALL)
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@echo 'Installing what the tests need ...' >&2
	@what='.[test]'; $(INSTALL)
	@touch $@

run: $(VENV)/.installed  ## Walk through the lab on the embedded account
	@trap : INT; $(BIN)/stslab run || { code=$$?; test $$code = 130 || exit $$code; }  # Ctrl-C is no error of make's
	@command -v stslab >/dev/null || echo 'For stslab in this shell: export PATH="$$PWD/$(BIN):$$PATH"'

test: $(VENV)/.tested  ## Run every test, or those of a folder: make test T=tests/lab
	@$(BIN)/python -m pytest -n auto --dist worksteal $(T)

cover: $(VENV)/.tested  ## Run the quick tests of the packages that have a floor, and measure what they reach
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m coverage run -m pytest -n auto --dist worksteal -m "not slow and not soak" \
	  $(foreach floor,$(FLOORS),tests/$(firstword $(subst :, ,$(floor)))) tests/cli
	@$(BIN)/python -m coverage combine --quiet
	@for each in $(FLOORS); do \
	  echo "$${each%%:*}: at least $${each##*:} % ..."; \
	  $(BIN)/python -m coverage report --fail-under=$${each##*:} --format=total \
	    --include="src/stslab/$${each%%:*}/*" || exit; \
	done

check: $(VENV)/.tested  ## Lint, type-check, spell-check, and check which package imports which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/codespell

$(VENV)/.benched: $(VENV)/.tested
	@echo 'Installing what is measured against ...' >&2
	@what='.[test,bench]'; $(INSTALL)
	@touch $@

bench: $(VENV)/.benched  ## Measure everything that should be fast, as ratios
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.tested  ## The exhaustive tests, which take long
	@$(BIN)/python -m pytest -n auto -m soak

wheel: $(VENV)/.installed  ## Build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:  ## Remove .venv and what builds leave behind
	rm -rf $(VENV) $(VENV)-* .coverage .coverage.* dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

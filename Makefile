# `make book` and `make test` are the two commands; `make help` lists the others.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
TIER ?= laptop
VENV := .venv
RUN := $(VENV)/bin/python
BOOK := $(RUN) -m agmpk.cli book
# The environment is remade when what it is made from changes, by content, not by date.
STAMP := $(VENV)/agmpk-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-').stamp

.PHONY: help setup book notebooks check verify pdf test lint clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Make the environment in .venv (PYTHON=... picks the interpreter, TORCH_INDEX=... a source of PyTorch)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: say make PYTHON=python3.11 ..." >&2; exit 2; }
	@echo "Making the environment in $(VENV) (a few minutes the first time)."
	$(PYTHON) -m venv $(VENV)
	@# From an index of CPU builds, such as https://download.pytorch.org/whl/cpu, first: pip keeps it.
	$(if $(TORCH_INDEX),$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --index-url $(TORCH_INDEX) $(shell grep '^torch==' requirements.lock))
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	$(RUN) -m pip check
	@rm -f $(VENV)/agmpk-*.stamp
	@touch $@

book: setup ## Execute what has changed and build book/_build/html (TIER=smoke, laptop or paper)
	@$(BOOK) build --tier $(TIER)

notebooks: setup ## Execute what has changed, without pages (TIER=..., CHAPTER=forecasting)
	@$(BOOK) notebooks --tier $(TIER) $(if $(CHAPTER),--chapter $(CHAPTER))

check: setup ## Say which executed chapters are stale, and why
	@$(BOOK) check --tier $(TIER)

verify: setup ## Execute what has changed, and compare every number with the shipped ones
	@$(BOOK) verify --tier $(TIER)

pdf: setup ## Print the executed book to book/_build/agmpk.pdf (needs Chromium or Chrome)
	@$(BOOK) pdf

lint: setup ## ruff
	$(RUN) -m ruff check .

test: lint ## Everything that is checked: ruff, the tests, every notebook in tier smoke, the book
	$(RUN) -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

clean: ## Remove the environment, executed notebooks, pages and test leftovers
	rm -rf $(VENV) build book/_build book/chapters .pytest_cache .ruff_cache .hypothesis *.egg-info

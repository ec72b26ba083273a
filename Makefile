# make help lists the targets. Everything runs in the project's own environment, made on first use.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
ONLY ?=
RESULTS ?= results
ARGS ?=
MINUTES ?= 40
SOAK ?= 20
BIN := $(VENV)/bin
# Some environments tell Python not to keep what it has compiled. Each process would compile torch anew then.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install test pytest lint docs reproduce figures report animate bench torture clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  settings: PROFILE=smoke|quick|cpu|paper  ONLY=\"ackley two_basin\"  RESULTS=folder  ARGS=\"key=value\"  PYTHON=python3.12"

# Python compiles modules when they are first imported; pip would compile all of torch, for a minute.
install: $(BIN)/.installed  ## make the environment in $(VENV) and install the project and its experiments into it

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; choose one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --no-compile --quiet --disable-pip-version-check -e '.[experiments]'
	@touch $@

# What only tests need takes half a minute more, for which make reproduce does not wait.
$(BIN)/.tests: $(BIN)/.installed
	$(BIN)/pip install --no-compile --quiet --disable-pip-version-check -e '.[experiments,test]'
	@touch $@

test: $(BIN)/.tests  ## lint, types and all tests
	@$(MAKE) --no-print-directory -j 2 lint pytest

pytest: $(BIN)/.tests
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart=0

lint: $(BIN)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

# A target of its own, so that make install does not wait for Sphinx. With it installed, make test builds them too.
docs: $(BIN)/.docs  ## build the documentation with warnings as errors: docs/_build/html/index.html
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html

$(BIN)/.docs: $(BIN)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

reproduce: install  ## run the experiments of a profile: tables, figures, report (default PROFILE=quick)
	$(BIN)/python scripts/reproduce.py --profile $(PROFILE) $(if $(ONLY),--only "$(ONLY)") paths.results=$(RESULTS) $(ARGS)

figures: install  ## redraw all figures of a profile from its tables alone
	$(BIN)/python scripts/report.py --figures --profile $(PROFILE) --results $(RESULTS)

report: install  ## write the verdicts (report.html, report.md, README) from the tables of all profiles alone
	$(BIN)/python scripts/report.py --results $(RESULTS)

animate: install  ## draw the animation of the README, docs/images/ackley.gif
	$(BIN)/python scripts/animate.py

bench: install  ## measure speed, as ratios between things run in turn in one process
	$(BIN)/python scripts/bench.py --results $(RESULTS)

torture: $(BIN)/.tests  ## attack it for MINUTES=40 (and a soak of SOAK=20): wrong lines, kills, damaged files
	OMP_NUM_THREADS=1 $(BIN)/python scripts/torture.py --minutes $(MINUTES) --soak $(SOAK) --results $(RESULTS)

clean:  ## remove the environment and caches, and nothing of the results
	rm -rf docs/_build docs/auto_examples
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis bbi.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

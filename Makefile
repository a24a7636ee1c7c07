# The commands of people and CI. `make` without a target lists them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# If it is set, every test run compiles all modules again.
export PYTHONDONTWRITEBYTECODE :=

# Every test that needs no cluster, in three parts of about the same duration, each in its own pytest: while
# the tests of one wait for a socket, those of another run. pytest-xdist would collect all tests in each of
# its processes and report every result twice, a fifth of the time.
PYTEST := $(BIN)/pytest -q -m "not e2e and not chart and not image"
PART_1 := webhook/inventory webhook/kube/api webhook/server system/fuzz
PART_2 := certs webhook/admission webhook/placement webhook/telemetry webhook/test_program.py

.PHONY: help install demo test tests tests-1 tests-2 tests-3 coverage wheel docs workflows e2e bench \
	bench-cluster fuzz chart image lock clean
help:  ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

install: $(INSTALLED)  ## create .venv with the project and its development tools

$(INSTALLED): pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Tools in their own venvs, so that `make install` stays small.
DOCS := .build/docs
WORKFLOWS := .build/workflows
DOCS_INSTALLED := $(DOCS)/.installed
WORKFLOWS_INSTALLED := $(WORKFLOWS)/.installed

$(DOCS_INSTALLED) $(WORKFLOWS_INSTALLED): .build/%/.installed: requirements/%.txt
	$(PYTHON) -m venv .build/$*
	.build/$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

demo: $(INSTALLED)  ## show real Forklift pods before and after, over TLS, without a cluster
	@$(BIN)/python -m examples.demo

test: $(INSTALLED)  ## run lint, types, import contracts and every test that needs no cluster
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory tests

tests: $(INSTALLED)
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target tests-1 tests-2 tests-3

tests-1:
	$(PYTEST) $(PART_1:%=tests/%)

tests-2:
	$(PYTEST) $(PART_2:%=tests/%)

tests-3:
	$(PYTEST) $(PART_1:%=--ignore=tests/%) $(PART_2:%=--ignore=tests/%) tests

# The pure folders, as patterns of `coverage report` separated by spaces.
PURE := webhook/model.py webhook/kube/* webhook/forklift/* webhook/karl/* webhook/settings/* \
	webhook/placement/* webhook/admission/* webhook/inventory/index.py \
	webhook/inventory/pvc_index.py webhook/reports/* \
	webhook/server/connections.py certs/ca/*
NOT_PURE := webhook/kube/api/*
COMMA := ,
SPACE := $(subst ,, )

coverage: $(INSTALLED)  ## measure the tests' coverage; every branch of the pure folders
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not e2e and not chart and not image" tests
	$(BIN)/coverage report
	$(BIN)/coverage report --include='$(subst $(SPACE),$(COMMA),$(strip $(PURE)))' \
		--omit='$(subst $(SPACE),$(COMMA),$(strip $(NOT_PURE)))' --fail-under=100

wheel: $(INSTALLED)  ## build the wheel, install it into a new venv and test it without the sources
	.ci/wheel

docs: $(DOCS_INSTALLED)  ## build the docs as a site in .build/site; fails on a broken link or anchor
	$(PYTHON) tests/system/docs/links.py
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

workflows: $(WORKFLOWS_INSTALLED)  ## check the workflows with zizmor, offline
	$(WORKFLOWS)/bin/zizmor --offline --quiet --persona=pedantic .github

e2e: $(INSTALLED)  ## run the tests that need a real control plane; builds and starts it
	$(BIN)/python -m tests.system.controlplane.build
	$(BIN)/pytest -m e2e -q tests/system/e2e

bench: $(INSTALLED)  ## measure the performance budgets
	@$(BIN)/python benchmarks/run.py

bench-cluster: $(INSTALLED)  ## measure the budgets that need a real control plane; a quarter of an hour
	$(BIN)/python -m tests.system.controlplane.build
	@$(BIN)/python benchmarks/cluster.py

SECONDS ?= 60
REVIEWS ?= 1000000
fuzz: $(INSTALLED)  ## search for slow inputs and bad responses; SECONDS= of each search, REVIEWS=, SEED=
	@$(BIN)/python -m tests.system.fuzz --seconds=$(SECONDS) --reviews=$(REVIEWS) $(SEED:%=--seed=%)

chart: $(INSTALLED)  ## lint, render and check the chart with helm 3 and 4 (needs tests/system/chart/apt.txt)
	$(BIN)/pytest -q tests/system/chart

image: $(INSTALLED)  ## build and run the image as root, without Docker (needs tests/system/image/apt.txt)
	$(BIN)/pytest -q tests/system/image

# Renovate runs the command in the header of a locked file, so use only options that Renovate knows, each
# with "=".
LOCK := uv pip compile --quiet --universal --generate-hashes --python-version=3.11

lock:  ## pin all dependencies with hashes, from pyproject.toml and requirements/*.in (needs uv)
	$(LOCK) --output-file=requirements/runtime.txt pyproject.toml
	$(LOCK) --output-file=requirements/dev.txt --extra=dev pyproject.toml
	$(LOCK) --output-file=requirements/build.txt requirements/build.in
	$(LOCK) --output-file=requirements/docs.txt requirements/docs.in
	$(LOCK) --output-file=requirements/workflows.txt requirements/workflows.in

clean:  ## remove the files of the other commands
	rm -rf .venv .build .mypy_cache .pytest_cache .ruff_cache \
		.hypothesis .import_linter_cache .coverage dist

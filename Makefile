# One command each: demo, test, campaign, lint, bench. The logic lives in Python; see CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-all campaign lint demo-once format bench pictures contracts clean

demo: $(STAMP)  ## run the whole story against the sandbox, then stay up
	$(BIN)/connector demo

demo-once: $(STAMP)  ## the story alone; fails unless every step was seen
	$(BIN)/connector demo --once

test: $(STAMP)  ## the tests; ARGS picks some of them: make test ARGS='-k echo', ARGS=tests/core/test_merge.py
	$(BIN)/python -m tools.need browser compiler
	$(BIN)/python -m pytest $(if $(ARGS),,-n 4 --dist loadfile) -q $(ARGS)

test-all: $(STAMP)  ## all of them: what repeats under another size, colour or seed, too
	$(BIN)/python -m tools.need browser compiler wiki-renderer
	$(BIN)/python -m pytest -n 4 --dist loadfile -q -m ''

campaign: $(STAMP)  ## kill, fault and simulation runs at full length; prints a line of figures for each
	CONNECTOR_CAMPAIGN=long $(BIN)/python -m pytest tests/faults -q -m ''

lint: $(STAMP)  ## style, types, layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(STAMP)  ## speed and memory, with the machine's details
	$(BIN)/python -m benchmarks

pictures: $(STAMP)  ## the pictures of the README, taken anew in Chromium
	$(BIN)/python -m tests.console.pictures docs/images

contracts: $(STAMP)  ## the facts in tests/contracts, made anew from Atlassian's published files in CONNECTOR_SHARED
	$(BIN)/python -m tests.contracts.make

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is %d.%d. Name one: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV); exit 1)

$(STAMP): $(VENV)/bin/python pyproject.toml plugins/jira_jsm/pyproject.toml plugins/xyte/pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e plugins/jira_jsm -e plugins/xyte
	touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

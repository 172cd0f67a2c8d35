# One command each: demo, test, campaign, lint, bench. The logic lives in Python; see CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := $(VENV)/.bench

.PHONY: demo test campaign lint demo-once format bench pictures clean

demo: $(STAMP)  ## run the whole story against the sandbox, then stay up
	$(BIN)/connector demo

demo-once: $(STAMP)  ## the story alone; fails unless every step was seen
	$(BIN)/connector demo --once

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -n 4 --dist loadfile -q

campaign: $(STAMP)  ## kill, fault and simulation runs at full length; prints a line of figures for each
	CONNECTOR_CAMPAIGN=long $(BIN)/python -m pytest tests/faults -q

lint: $(STAMP)  ## style, types, layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(BENCH)  ## speed and memory against docs/performance.md; ARGS=--record writes them there
	$(BIN)/python -m benchmarks $(ARGS)

pictures: $(STAMP)  ## the pictures of the README, taken anew in Chromium
	PYTHONPATH=tests $(BIN)/python tests/console/pictures.py docs/images

$(STAMP): pyproject.toml plugins/jira_jsm/pyproject.toml plugins/xyte/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e plugins/jira_jsm -e plugins/xyte
	touch $(STAMP)

$(BENCH): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $(BENCH)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache

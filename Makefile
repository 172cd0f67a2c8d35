# One command each: demo, test, campaign, lint, bench. The logic lives in Python; see CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := $(VENV)/.bench
# What is compiled is kept: every start of the connector, and every worker of the tests, would compile it anew.
unexport PYTHONDONTWRITEBYTECODE
PLUGINS := plugins/jira_jsm plugins/jira_jsm_sandbox plugins/xyte plugins/xyte_sandbox

.PHONY: demo test test-all campaign campaign-cluster lint demo-once format bench soak pictures contracts mutants mutants-sample clean

demo: $(STAMP)  ## run the whole story against the sandbox, then stay up
	$(BIN)/connector demo

demo-once: $(STAMP)  ## the story alone; fails unless every step was seen
	$(BIN)/connector demo --once

test: $(STAMP)  ## the tests; ARGS picks some of them: make test ARGS='-k echo', ARGS=tests/core/test_merge.py
	$(BIN)/python -m tools.need $(if $(ARGS),--once) browser compiler postgresql
	$(BIN)/python -m pytest $(if $(ARGS),,-n 4 --dist loadfile) -q $(ARGS)

test-all: $(STAMP)  ## all of them: what repeats under another size, colour or seed, too; and whether tests notice mistakes
	$(BIN)/python -m tools.need browser compiler postgresql wrk wiki-renderer
	$(BIN)/python -m pytest -n 4 --dist loadfile -q -m ''
	$(BIN)/python -m tools.mutants --sample 200 --seed 1

campaign: $(STAMP)  ## kill, fault and simulation runs at full length; prints a line of figures for each
	$(BIN)/python -m tools.need browser compiler postgresql
	CONNECTOR_CAMPAIGN=long $(BIN)/python -m pytest tests/faults -q -m ''

campaign-cluster: $(STAMP)  ## three daemons over one PostgreSQL: killed, frozen, stopped, left without a server
	$(BIN)/python -m tools.need postgresql
	CONNECTOR_CLUSTER=1 $(BIN)/python -m pytest tests/faults/test_cluster.py -q

mutants: $(STAMP)  ## small mistakes in the heart, one at a time: the tests beside each file must see them
	$(BIN)/python -m tools.mutants $(FILES)

mutants-sample: $(STAMP)  ## the same for some of them, drawn by a seed
	$(BIN)/python -m tools.mutants --sample 200 --seed $(or $(SEED),1)

lint: $(STAMP)  ## style, types, layers, dead code, declared dependencies; the hooks in .pre-commit-config.yaml are the same
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry connector_core --optional-dependencies-dev-groups dev
	$(BIN)/deptry plugins/jira_jsm/connector_jira_jsm --config plugins/jira_jsm/pyproject.toml
	$(BIN)/deptry plugins/jira_jsm_sandbox/connector_jira_jsm_sandbox --config plugins/jira_jsm_sandbox/pyproject.toml
	$(BIN)/deptry plugins/xyte/connector_xyte --config plugins/xyte/pyproject.toml
	$(BIN)/deptry plugins/xyte_sandbox/connector_xyte_sandbox --config plugins/xyte_sandbox/pyproject.toml
	$(BIN)/deptry connector_core plugins tests benchmarks tools --ignore DEP001

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(BENCH)  ## speed and memory against docs/performance.md; ARGS=--record writes them there
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(BENCH)  ## half an hour of mixed load: memory, descriptors and threads stay what they are; ARGS="--minutes 5"
	$(BIN)/python -m benchmarks.soak $(ARGS)

pictures: $(STAMP)  ## the pictures of the README, taken anew in Chromium
	$(BIN)/python -m tests.console.pictures docs/images

contracts: $(STAMP)  ## the facts in tests/contracts, made anew from Atlassian's published files in CONNECTOR_SHARED
	$(BIN)/python -m tests.contracts.make

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is %d.%d. Name one: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV); exit 1)

$(STAMP): $(VENV)/bin/python pyproject.toml $(PLUGINS:%=%/pyproject.toml) constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(PLUGINS:%=-e %)
	touch $(STAMP)

$(BENCH): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $(BENCH)

clean:
	rm -rf $(VENV) $(VENV)-* .mypy_cache .pytest_cache .ruff_cache

.PHONY: test-lowest test-pythons

test-lowest: $(STAMP)  ## core and plugins with the lowest libraries that pyproject.toml allows
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m tools.environments lowest

test-pythons: $(STAMP)  ## core and plugins with every Python from 3.11 that is here
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m tools.environments pythons

.PHONY: coverage
coverage: $(STAMP)  ## lines and branches that tests without a daemon or a browser reach; fails under the floor in pyproject.toml
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not staged and not extended" -p pytest_cov --cov \
	  --cov-report=term tests/core tests/plugins tests/console tests/test_*.py

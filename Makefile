# One command each: demo, test, campaign, lint, bench. The logic lives in Python; see CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := $(VENV)/.bench
DOCS := $(VENV)/.docs
READ := $(VENV)/.tests-read
RELEASE := $(VENV)-release/.installed
# What is compiled is kept: every start of the connector, and every worker of the tests, would compile it anew.
unexport PYTHONDONTWRITEBYTECODE
# Files in the order of tests/conftest.py, a worker a file.
WORKERS := -n 6 --dist loadfile --no-loadscope-reorder
PLUGINS := $(sort $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml examples/*/pyproject.toml)))

.PHONY: demo test test-all test-rt campaign campaign-cluster lint dependencies demo-once format bench soak pictures contracts mutants mutants-sample clean

demo: $(STAMP)  ## run the whole story against the sandbox, then stay up
	$(BIN)/connector demo

demo-once: $(STAMP)  ## the story alone; fails unless every step was seen
	$(BIN)/connector demo --once

test: $(if $(ARGS),$(STAMP),$(READ))  ## the tests; ARGS picks some of them: make test ARGS='-k echo', ARGS=tests/core/test_merge.py
	$(BIN)/python -m tools.need $(if $(ARGS),--once) browser compiler postgresql
	$(BIN)/python -m tools.steady $(if $(ARGS),,$(WORKERS)) -q $(ARGS)

.PHONY: test-extended
test-all:  ## all of them: those of make test, then the others
	$(MAKE) --no-print-directory test
	$(MAKE) --no-print-directory test-extended

test-extended: $(READ)  ## what repeats: other sizes, colours, seeds, surfaces, all examples; and whether tests notice mistakes
	$(BIN)/python -m tools.need browser compiler postgresql wrk wiki-renderer pgbouncer haproxy nginx caddy promtool
	CONNECTOR_EXAMPLES=all $(BIN)/python -m tools.steady $(WORKERS) -q -m '(extended or hypothesis) and not request_tracker'
	$(BIN)/python -m tools.mutants --sample 30 --seed 1

test-rt: $(STAMP)  ## those that need a real Request Tracker, got by apt-get where that is allowed
	$(BIN)/python -m tools.need request-tracker browser
	$(BIN)/python -m tools.steady -n 2 --dist loadscope -q -m request_tracker tests/real_servers tests/e2e/test_demo_helpdesks.py

campaign: $(STAMP)  ## kill, fault and simulation runs at full length; prints a line of figures for each
	$(BIN)/python -m tools.need browser compiler postgresql
	CONNECTOR_CAMPAIGN=long $(BIN)/python -m pytest tests/faults -q -m 'not request_tracker'

campaign-cluster: $(STAMP)  ## three daemons over one PostgreSQL, struck at random: ROUNDS=200 takes an hour, SEED another
	$(BIN)/python -m tools.need postgresql
	CONNECTOR_CAMPAIGN=long CONNECTOR_ROUNDS=$(or $(ROUNDS),200) CONNECTOR_CAMPAIGN_SEED=$(or $(SEED),20261127) \
	  $(BIN)/python -m pytest tests/faults/test_cluster.py tests/faults/test_cluster_campaign.py -q -m ''

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
	@make --no-print-directory dependencies

dependencies: $(STAMP)
	$(BIN)/deptry connector_core --optional-dependencies-dev-groups dev
	$(foreach one,$(PLUGINS),$(BIN)/deptry $(wildcard $(one)/connector_*/) --config $(one)/pyproject.toml &&) true
	$(BIN)/deptry connector_core plugins examples tests benchmarks tools --ignore DEP001

format: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(BENCH)  ## speed and memory against docs/performance.md; ARGS=--record writes them there
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(BENCH)  ## half an hour of mixed load: memory, descriptors and threads stay what they are; ARGS="--minutes 5"
	$(BIN)/python -m benchmarks.soak $(ARGS)

quality: $(STAMP)  ## the tables of quality of our plugins, made anew from what the checks of the kit show
	$(BIN)/python -m tools.need browser request-tracker
	$(BIN)/python -m pytest -q -n 2 --dist loadscope -m '' --conformance-report=.quality.json -k "Life or InTheDaemon or InTheBrowser" \
	  tests/plugins/*/test_life.py tests/plugins/xyte/test_xyte_life.py tests/e2e/test_life_in_the_daemon.py \
	  tests/console/test_setup_of_any_plugin.py tests/real_servers/test_request_tracker_life.py
	for place in plugins/jira_jsm plugins/xyte plugins/servicenow plugins/request_tracker examples/roundup; do \
	  $(BIN)/python -m connector_core.testing.quality .quality.json $$place/quality.md --plugin $${place#*/} || exit 1; done

pictures: $(STAMP)  ## the pictures of the README, taken anew in Chromium
	$(BIN)/python -m tests.console.pictures docs/images

.PHONY: docs docs-serve reference
docs: $(DOCS)  ## the site of the docs, in .site; a broken link, a missing page or one that is in no menu is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python -m tools.docs_check .site

docs-serve: $(DOCS)  ## the same at http://127.0.0.1:8000, made anew when a page changes
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

reference: $(STAMP)  ## the pages in docs/reference, made anew from the code
	$(BIN)/python -m tools.reference

contracts: $(STAMP)  ## the facts in tests/contracts, made anew from Atlassian's published files in CONNECTOR_SHARED
	$(BIN)/python -m tests.contracts.make

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is %d.%d. Name one: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV); exit 1)

$(STAMP): $(VENV)/bin/python pyproject.toml $(PLUGINS:%=%/pyproject.toml) constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(PLUGINS:%=-e %)
	touch $(STAMP)

# Tests that changed are compiled once, two halves at a time; six workers that begin together would each do it.
$(READ): $(STAMP) $(shell find tests -name '*.py')
	@$(BIN)/python -m pytest -n 0 -qq --collect-only tests/core tests/faults > /dev/null & \
	  $(BIN)/python -m pytest -n 0 -qq --collect-only tests/console tests/contracts tests/e2e tests/plugins tests/*.py > /dev/null; \
	  wait; touch $(READ)

$(BENCH): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $(BENCH)

$(DOCS): $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $(DOCS)

$(RELEASE): $(STAMP)
	$(PYTHON) -m venv $(VENV)-release
	$(VENV)-release/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[release]'
	touch $(RELEASE)

.PHONY: dist
dist: $(RELEASE)  ## what a release publishes, in dist/: wheels, sdists, bill of materials, licences, checksums
	$(VENV)-release/bin/python -m tools.release

clean:
	rm -rf .site $(VENV) $(VENV)-* .mypy_cache .pytest_cache .ruff_cache

.PHONY: test-container
test-container: $(STAMP)  ## the Containerfile's steps in an empty root of Debian, and a trial of it; takes root and the packages of Debian
	$(BIN)/python -m tools.need debootstrap
	$(BIN)/python -m pytest -q -m container tests/operate/test_container.py

.PHONY: test-lowest test-pythons

test-lowest: $(STAMP)  ## core and plugins with the lowest libraries that pyproject.toml allows
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m tools.environments lowest

test-pythons: $(STAMP)  ## core and plugins with every Python from 3.11 that is here
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m tools.environments pythons

.PHONY: coverage quality
coverage: $(STAMP)  ## lines and branches that tests without a daemon or a browser reach; fails under the floor in pyproject.toml
	$(BIN)/python -m tools.need postgresql
	$(BIN)/python -m pytest -n 2 --dist loadfile -q -m "not staged and not extended" -p pytest_cov --cov \
	  --cov-report=term tests/core tests/plugins tests/console tests/test_*.py

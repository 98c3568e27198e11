# Every target sets up what it needs: a fresh machine has CPython 3.11, pip, gcc, make and git.
PYTHON ?= python3
VENV ?= .venv
SERVERS ?= $(VENV)-servers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
XDIST ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-api test-browser test-servers lint format bench endure figures reproduce notebook wheel clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp a set of packages: made again when what the project needs changes.
$(VENV)/.stamp-run: pyproject.toml $(wildcard planner/compiled/*.py*)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install -e .
	touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-run
	$(PIP) install --group test --group lint
	touch $@

demo: $(VENV)/.stamp-run ## Bundled logs -> fit -> held-out report -> recommendations, offline, under a minute.
	@$(BIN)/planner demo

test: $(VENV)/.stamp-dev ## Run the tests.
	@$(BIN)/python -m pytest -n $(XDIST)

# A model server's packages are large and pinned: they have an environment of their own.
$(SERVERS)/.stamp: Makefile
	$(PYTHON) -m venv $(SERVERS)
	$(SERVERS)/bin/python -m pip --disable-pip-version-check -q install torch==2.13.0
	$(SERVERS)/bin/python -m pip --disable-pip-version-check -q install "transformers[serving]==5.23.0"
	touch $@

test-api: $(VENV)/.stamp-dev ## Try the whole HTTP API with data that fit its schema and data that do not.
	$(PIP) install --group api
	@$(BIN)/python -m tests.service.try_api

test-browser: $(VENV)/.stamp-dev ## Use the dashboard in a headless Chromium (Debian: apt-get install chromium).
	$(PIP) install --group browser
	@$(BIN)/python -m pytest -m browser tests/service

test-servers: $(VENV)/.stamp-dev $(SERVERS)/.stamp ## Try a model server that others wrote: `transformers serve`.
	@PLANNER_TEST_TRANSFORMERS=$(abspath $(SERVERS))/bin/transformers $(BIN)/python -m pytest -m servers

lint: $(VENV)/.stamp-dev ## Check style and types.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.stamp-dev ## Lay out the code.
	@$(BIN)/ruff format .

bench: $(VENV)/.stamp-dev ## Measure speed and quality, and write the figures into README.md.
	@for name in lab_policy session live worlds votes generators features speed overhead service service_gateway; do $(BIN)/python -m tests.bench.$$name || exit 1; done

endure: $(VENV)/.stamp-dev ## Load the service for ten minutes a store, with kills of workers and of the database.
	@$(BIN)/python -m tests.bench.endure

figures: $(VENV)/.stamp-dev ## Draw the picture of README.md from the bundled logs.
	@$(BIN)/python -m tests.bench.picture

reproduce: $(VENV)/.stamp-dev ## Carry out the searches of the bundled logs anew, and compare.
	@$(BIN)/python -m tests.bench.reproduce

notebook: $(VENV)/.stamp-dev ## Execute the notebook and check that it still runs.
	@$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 notebooks

wheel: $(VENV)/.stamp-dev ## Build the wheel, install it in an empty environment and run its demo there.
	@.ci/check-wheel $(PYTHON)

clean: ## Remove environment, build output and caches.
	rm -rf $(VENV) $(SERVERS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

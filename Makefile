# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-all test-tools test-wheel test-floors test-site test-pages lint format docs bench bench-quick clean

demo: .venv/demo  ## caption examples/catalog with the embedded emulator
	@mkdir -p demo
	$(BIN)/vimmerse caption examples/catalog -o demo/captions.csv --emulator
	$(BIN)/vimmerse report demo/captions.csv -o demo/report.html
	@echo; echo "The first lines of demo/captions.csv:"; head -n 5 demo/captions.csv

test: .venv/dev  ## everything that is promised, in a few minutes
	$(BIN)/python -m pytest --numprocesses auto -m "not full"

test-all: .venv/ray  ## the full figures too, in half an hour
	$(BIN)/python -m pytest --numprocesses auto -m "not full"
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m full --durations 20

test-tools: .venv/tools  ## agents of Datadog, Elastic, New Relic and Pydantic see each request
	$(BIN)/python -m pytest -p no:ddtrace tests/wire/test_listeners.py

test-wheel:  ## the built wheel passes the tests alone, and each extra installs alone
	.ci/test_wheel $(PYTHON)

test-floors:  ## the lowest versions that are allowed pass the tests; RESOLUTION=highest: the newest
	.ci/test_resolution $(or $(RESOLUTION),lowest-direct) $(PYTHON)

test-site: docs .venv/axe  ## the built pages in Chromium: searches, axe-core, a phone's width
	SITE=$(CURDIR)/docs/_build/html AXE=$(CURDIR)/.venv/axe/node_modules/axe-core/axe.min.js \
		$(BIN)/python -m pytest tests/site

test-pages: .venv/dev  ## each page in an empty folder and a venv with what it installs
	$(BIN)/python -m hatchling build --target wheel --directory dist/pages
	WHEELS=$(CURDIR)/dist/pages $(BIN)/python -m pytest tests/docs/test_fresh.py

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/docs  ## the pages, in docs/_build/html
	$(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build/html

bench: .venv/bench  ## everything that is measured, beside its peers, in a quarter of an hour
	$(BIN)/python -m benchmarks

bench-quick: .venv/bench  ## requests/s, cost of a call and of an import, in two minutes
	$(BIN)/python -m benchmarks --quick

clean:
	rm -rf .venv demo dist build docs/_build

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/demo: .venv/python pyproject.toml requirements/dev.txt
	$(BIN)/pip install --quiet --constraint requirements/dev.txt --editable '.[cli,emulator,video,speed]'
	@touch $@

.venv/dev: .venv/python pyproject.toml requirements/dev.txt
	$(BIN)/pip install --quiet --requirement requirements/dev.txt --editable .
	@touch $@

.venv/docs: .venv/dev requirements/docs.txt
	$(BIN)/pip install --quiet --requirement requirements/docs.txt
	@touch $@

.venv/axe: .venv/python  # MPL-2.0, and only a check: it is not part of the site
	npm install --silent --no-save --prefix $@ axe-core@4.14.1
	@touch $@

.venv/ray: .venv/dev  # large: only the whole suite needs it
	$(BIN)/pip install --quiet --constraint requirements/dev.txt --editable '.[ray]'
	@touch $@

.venv/tools: .venv/dev requirements/tools.txt  # large, and nothing else needs them
	$(BIN)/pip install --quiet --constraint requirements/dev.txt --requirement requirements/tools.txt
	@touch $@

.venv/bench: .venv/python pyproject.toml requirements/bench.txt
	$(BIN)/pip install --quiet --requirement requirements/bench.txt --editable .
	@touch $@

requirements/dev.txt requirements/bench.txt: pyproject.toml
	@touch $@

.PHONY: requirements
requirements: .venv/python  ## pin the newest versions anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --extra cli --extra convert --extra emulator --extra video \
		--extra parquet --extra sheets --extra json --extra delta --extra cloud --extra zstd \
		--extra speed --extra otel --extra redis --group dev --upgrade --quiet \
		--no-annotate --no-header --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --universal --group docs --constraint requirements/dev.txt \
		--quiet --no-annotate --no-header --output-file requirements/docs.txt
	$(BIN)/uv pip compile pyproject.toml --universal --group tools --constraint requirements/dev.txt \
		--quiet --no-annotate --no-header --output-file requirements/tools.txt
	$(BIN)/uv pip compile pyproject.toml --universal --extra cli --extra emulator --extra speed \
		--group bench --constraint requirements/dev.txt --quiet --no-annotate --no-header \
		--output-file requirements/bench.txt

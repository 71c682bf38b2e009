# make lab    the environment, the first notebook in JupyterLab
# make test   everything that CI runs
# make help   the rest

# The first Python on the PATH that is new enough; or say which: make lab PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3 python python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
# Added to `pip install`, for another package index or a local folder of wheels (see the README).
PIP_ARGS ?=
# Added to `flowerdiff lab`, for instance --no-browser
LAB_ARGS ?=
# Two processes for the tests: they are made of small tensors, and laptops and CI have two cores.
WORKERS ?= 2

BIN := $(VENV)/bin
LAB := $(VENV)/.installed-lab
DOCS := $(VENV)/.installed-docs
TEST := $(VENV)/.installed-test
PYTEST = $(BIN)/python -m pytest

.PHONY: help lab install browser test test-fast test-unit test-notebooks test-browser colab lint format notebooks docs slides clean
.NOTPARALLEL:

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'

lab: install ## the environment (the first time), then the first notebook in JupyterLab
	$(BIN)/flowerdiff lab -- $(LAB_ARGS)

install: $(LAB) ## the environment alone

# Only a change of pyproject.toml brings pip back, so that everything else works without a network.
$(LAB): pyproject.toml
	@test -n "$(PYTHON)" || { echo "flowerdiff needs Python 3.11 or newer: make lab PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_ARGS) -e '.[notebooks]'
	@touch $@

$(DOCS): $(LAB)
	$(BIN)/python -m pip install $(PIP_ARGS) -e '.[docs]'
	@touch $@

# What the pages are made with is in it: they are tested.
$(TEST): $(LAB)
	$(BIN)/python -m pip install $(PIP_ARGS) -e '.[test]'
	@touch $(DOCS) $@

test: browser lint test-unit test-notebooks test-browser ## lint and all tests

test-fast: $(TEST) ## unit tests without the slow ones and the browser: after every edit
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not browser and not slow"

test-unit: $(TEST) ## unit tests, the slow ones too
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not browser"

# One notebook per process, each with one thread. Not -p tests.notebook_times: torch-fidelity installs
# a package of the name `tests`.
test-notebooks: $(TEST) ## run every cell of every lesson
	$(BIN)/python tools/build_notebooks.py --check
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(PYTEST) -n $(WORKERS) --dist loadfile -p notebook_times --nbval --nbval-current-env --nbval-cell-timeout=600 --timeout=900 notebooks/*.ipynb notebooks/solutions/*.ipynb

test-browser: browser ## the widgets and the site, moved by a real browser
	$(PYTEST) -n $(WORKERS) --dist loadfile -m browser

# Not part of `test`: it takes 6 GB of disk and half an hour. Colab has Python 3.13.
colab: $(TEST) ## all lessons with Colab's packages, in an environment of its own: build/colab
	$(BIN)/python tools/check_colab.py --python $(PYTHON)

browser: $(TEST) ## find a Chromium or Chrome, or install one
	tools/install_browser.sh $(BIN)/python

lint: $(TEST) ## ruff
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(TEST) ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

notebooks: $(TEST) ## build both editions of notebooks/*.ipynb from notebooks/*.py
	$(BIN)/python tools/build_notebooks.py

docs: $(DOCS) ## the site, from the built notebooks: open build/site/index.html, no server needed
	$(BIN)/python tools/build_docs.py

slides: $(DOCS) ## slides of the lessons, for a projector: open build/slides/index.html
	$(BIN)/python tools/make_slides.py

clean: ## remove caches and builds; keeps the environment, runs/ and samples/
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis test-results
	find flowerdiff notebooks tests tools \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

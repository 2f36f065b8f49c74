# Podium. `make help` lists what there is. PORT, HOST and DATA may be set: make up PORT=9000 DATA=/srv/podium

PORT ?=
HOST ?=
DATA ?=
PYTHON ?= python3
BIN := .venv/bin
# A variable, because `call` would split it at the comma.
TEST_EXTRAS := '.[test,cluster]'
TESTS ?=
IMAGE ?=
BASE ?=
OPTIONS ?=
UP_OPTIONS := $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA))

.PHONY: help install demo up image cluster-demo test bench pictures lint format constraints clean

help:  ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(BIN)/.installed  ## run Podium with a sample Space in it; Ctrl-C stops everything
	@$(BIN)/podium demo $(UP_OPTIONS)

up: $(BIN)/.installed  ## run Podium
	@$(BIN)/podium up $(UP_OPTIONS)

image:  ## build Podium's own image; IMAGE=registry.example.org/podium:1 BASE=... OPTIONS=--push
	$(PYTHON) runtime_images/podium/build.py $(if $(IMAGE),--tag $(IMAGE)) $(if $(BASE),--base $(BASE)) $(OPTIONS)

cluster-demo: $(BIN)/.test-installed  ## install on the cluster of KUBECONFIG, push a Space, move it to a GPU; OPTIONS=--remove
	@$(BIN)/python -m tests.chart.demo $(if $(BASE),--base $(BASE)) $(OPTIONS)

install: $(BIN)/.installed  ## only make ./.venv

test: $(BIN)/.test-installed  ## run all tests this machine can; TESTS=tests/unit for some
	$(BIN)/python -m pytest $(TESTS)

bench: $(BIN)/.test-installed  ## measure speed and memory, beside what they are compared with
	$(BIN)/python -m tests.bench

pictures: $(BIN)/.test-installed  ## make the pictures of the docs anew, as the tests see the pages
	PODIUM_TEST_PICTURES=$(CURDIR)/web/static/pictures $(BIN)/python -m pytest tests/browser/test_every_page.py tests/browser/test_stories.py

lint: $(BIN)/.test-installed  ## check style and the arrows between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(BIN)/.test-installed  ## let ruff mend the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: $(BIN)/.test-installed  ## pin the newest versions of everything in constraints.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra test --extra cluster \
	  --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links pyproject.toml --output-file constraints.txt

clean:  ## remove what make made, but no data
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------------------------------------------------------------

# uv installs in seconds what takes pip a minute; where it does not know this machine's package index, pip does.
define pip_install
$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e $(1) \
  || $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e $(1)
endef

$(BIN)/.installed: $(BIN)/uv pyproject.toml constraints.txt
	@echo "Installing Podium into ./.venv ..."
	@$(call pip_install,.)
	@touch $@

$(BIN)/.test-installed: $(BIN)/uv pyproject.toml constraints.txt
	@echo "Installing Podium and what its tests need into ./.venv ..."
	@$(call pip_install,$(TEST_EXTRAS))
	@touch $(BIN)/.installed $@

$(BIN)/uv: $(BIN)/.made
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	@touch $@

# Debian and Ubuntu split ensurepip off into python3-venv: root gets it, others are told. A uv on PATH needs neither.
$(BIN)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Podium needs Python 3.11 or newer as $(PYTHON); name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then :; \
	elif command -v uv >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing python3-venv ..."; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv; } >/dev/null; \
	else \
	  echo "$(PYTHON) cannot make virtual environments here. Type: sudo apt-get install python3-venv" >&2; exit 1; \
	fi
	@echo "Making ./.venv ..."
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv .venv; \
	else uv venv --quiet --seed --python $(PYTHON) .venv; fi
	@touch $@

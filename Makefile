# `make demo` and `make test` set everything up themselves; `make help` lists the rest.

VENV ?= .venv
JOBS ?= 2
ARGS ?=

PYTHON_IN_VENV := $(VENV)/bin/python
READY := $(VENV)/.installed
TYPING := build/typing

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-gpu lint typecheck format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s  %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PYTHON=/path/to/python3.13   the Python to set up with (else PATH, pyenv, uv)"
	@echo "VENV=folder                  where the environment goes (.venv)"
	@echo "ARGS='-k timeline'           more arguments for pytest"

setup: $(READY) ## make the environment and install into it (all others do this first)

# The stamp is written last, so that an interrupted set-up is taken up again and a finished one is left alone.
$(READY): setup.py
	@./setup-env.sh $(VENV)

demo: $(READY) ## interpolate demo/demo.mp4 and draw a contact sheet
	@echo "== Rendering demo/demo.mp4 at twice its frame rate"
	@$(VENV)/bin/vsvfi render demo/demo.mp4 demo/out.mp4 --factor 2 --overwrite
	@echo "== Drawing the contact sheet: left-out frames rebuilt, the middle one at the cut"
	@$(VENV)/bin/vsvfi compare demo/demo.mp4 --models flow,mvtools,blend --frames 31,37,46 -o demo/sheet.png
	@echo
	@echo "The clip:          $(CURDIR)/demo/out.mp4"
	@echo "The contact sheet: $(CURDIR)/demo/sheet.png"

test: lint typecheck ## everything CI checks: lint, types, all tests
	@echo "== pytest"
	@$(PYTHON_IN_VENV) -m pytest -n $(JOBS) $(ARGS)

test-fast: $(READY) ## only the tests that take less than ten seconds each
	@$(PYTHON_IN_VENV) -m pytest -n $(JOBS) -m "not slow" $(ARGS)

test-gpu: $(READY) ## only the tests that need a CUDA device
	@$(PYTHON_IN_VENV) -m pytest -m gpu $(ARGS)

lint: $(READY) ## ruff: rules and formatting
	@echo "== ruff"
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m ruff format --check .

format: $(READY) ## let ruff mend what it can
	@$(PYTHON_IN_VENV) -m ruff check --fix .
	@$(PYTHON_IN_VENV) -m ruff format .

# mypy finds vsvfi.backends (the folder `backends`) neither in the checkout nor through an editable install: it is
# shown the tree as a wheel would lay it out.
typecheck: $(READY) ## mypy over the package and the tests
	@echo "== mypy"
	@rm -rf $(TYPING)
	@$(PYTHON_IN_VENV) setup.py -q build_py --build-lib $(TYPING)
	@MYPYPATH=$(TYPING) $(PYTHON_IN_VENV) -m mypy -p vsvfi
	@MYPYPATH=$(TYPING) $(PYTHON_IN_VENV) -m mypy tests

clean: ## remove what was built and rendered; the environment stays
	@rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f demo/out.* demo/*.part* demo/sheet.png
	@find . -name .venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

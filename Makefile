# `make demo` and `make test` need nothing but python3 (3.11 or newer) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
IN_TWO := --numprocesses 2 --dist loadfile  # two processes share the test files; plain `pytest` is one

.PHONY: demo test check bench clean

demo: $(VENV)/installed  ## describe an example picture with the embedded checkpoint
	$(BIN)/llavacli describe examples/shapes.png

test: $(VENV)/developer  ## the whole test suite
	$(BIN)/python -m pytest $(IN_TWO)

check: $(VENV)/developer  ## what to run before every commit: format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(IN_TWO) -m "not slow"

bench: $(VENV)/developer  ## the promises of speed at small sizes, each against the reference in the same run
	$(BIN)/python benchmarks/small.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/developer: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/installed

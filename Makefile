# Everything happens in .venv, made with $(PYTHON) from nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SOURCES := $(VENV)/sources
PACKAGES := codec tsa stream

.PHONY: demo test check lint types bench bench-full fuzz robustness clean
.DELETE_ON_ERROR:

demo: $(INSTALLED) ## signs, stamps and verifies two real images and shows that tampering is noticed
	@$(BIN)/python -m examples.demo demo

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n 2 $(PYTEST)

check: lint types test

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED)
	@$(BIN)/mypy -p dcmsign.codec -p dcmsign.tsa -p dcmsign.stream -p tests -p tools -p examples -p benchmarks

bench: $(INSTALLED) ## compares the speed with dcmsign, openssl and cp: small inputs, less than 3 minutes
	@$(BIN)/python -m benchmarks --quick --output build/benchmarks $(BENCH)

bench-full: $(INSTALLED) ## everything there is a target for, 15 minutes on an idle machine with 5 GB of free disk
	@$(BIN)/python -m benchmarks --output docs/benchmarks $(BENCH)

fuzz: $(INSTALLED) ## looks for inputs that break something, SECONDS for each target; findings go to build/fuzz
	@$(BIN)/python -m tests.fuzz all --seconds $(or $(SECONDS),60)

robustness: $(INSTALLED) ## bombs and faults at full size: a million items, 1 GiB interrupted at many moments, ten minutes
	@ROBUSTNESS=full $(BIN)/python -m pytest -n 2 tests/robustness $(PYTEST)

clean:
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(PACKAGES) tests tools examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The installation links file by file, so it has to be repeated when a file comes or goes.
$(INSTALLED): pyproject.toml $(SOURCES)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet 'pip>=25.1'
	@$(BIN)/python -m pip install -qq --group dev --config-settings editable_mode=strict --editable .
	@touch $@

$(SOURCES): .FORCE | $(BIN)/python
	@find $(PACKAGES) -name '*.py' | LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)

.PHONY: .FORCE
.FORCE:

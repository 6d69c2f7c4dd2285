# Every target sets up what it needs by itself, in .venv. Only Python 3.11 or later has to be there.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help demo test test-fast test-load lint format types docs docs-check proto proto-check bench build clean

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# What of llama-cpp-python is compiled for tests: no images, no TLS, no library of llama.cpp's tools. That halves the
# time; pip keeps the wheel for the next time.
$(VENV)/.dev: export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF "-DCMAKE_PROJECT_INCLUDE_BEFORE=$(CURDIR)/scripts/llama_cpp_core_only.cmake"
$(VENV)/.dev: export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell getconf _NPROCESSORS_ONLN)
$(VENV)/.dev: $(VENV)/.runtime
	@echo "Installing what tests need. The first time, llama-cpp-python is compiled: some minutes."
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

demo: $(VENV)/.runtime ## See it work: simulated providers, the gateway, a few requests. No key needed. Ctrl-C ends it
	$(BIN)/planoai demo

test: $(VENV)/.dev ## All tests
	$(BIN)/python -m pytest -n auto --dist loadfile

test-fast: $(VENV)/.dev ## All tests but the long ones under load
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not load"

lint: $(VENV)/.dev ## ruff: style and mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## ruff: put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

docs: $(VENV)/.dev ## Write the generated pages of docs/
	$(BIN)/python scripts/generate_docs.py

docs-check: $(VENV)/.dev ## Are the generated pages current?
	$(BIN)/python scripts/generate_docs.py --check

# The generated code asks for at least the protobuf of its protoc: an older protoc leaves users more room.
$(VENV)-proto/.done: Makefile
	$(PYTHON) -m venv $(VENV)-proto
	$(VENV)-proto/bin/python -m pip install --quiet grpcio-tools==1.76.0
	@touch $@

proto: $(VENV)-proto/.done ## Generate brightstaff/pb from proto/
	$(VENV)-proto/bin/python scripts/generate_proto.py

proto-check: $(VENV)-proto/.done ## Is brightstaff/pb current?
	$(VENV)-proto/bin/python scripts/generate_proto.py --check

bench: $(VENV)/.dev ## Requests/s, added latency and the cost of a failover, as ratios within the same run
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench --failover

build: $(VENV)/.dev ## sdist and wheel in dist/
	$(BIN)/python -m build

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(VENV)-proto dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

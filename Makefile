# Thin on purpose: a target is one or two lines, and tools/ holds what needs more.
# `make test` installs what it needs: only python >= 3.11 (with venv), make and a package index are taken for granted.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
JOBS ?= 2
ARGS ?=
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup serve test check format services bench bench-check kills fuzz soak docs prices lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

setup: ## everything for development into .venv, from hashed requirements; quick when nothing changed
	@$(or $(PYTHON),$(error no python >= 3.11 found: install one or say PYTHON=...)) tools/setup.py dev

serve: ## the gateway, with its run-time requirements alone; ARGS='--port 8000'
	@$(or $(PYTHON),$(error no python >= 3.11 found: install one or say PYTHON=...)) tools/setup.py run
	@$(BIN)/clearway serve $(ARGS)

test: setup services check ## everything the project promises; ARGS='-k name' goes to pytest
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

check: setup ## format, lint, types, import arrows, generated files
	$(BIN)/ruff format --check && $(BIN)/ruff check && $(BIN)/mypy && $(BIN)/lint-imports --no-logo
	$(BIN)/python tools/docs.py --check && $(BIN)/python tools/prices.py --check

format: setup ## what the formatter and the linter can mend themselves
	$(BIN)/ruff format && $(BIN)/ruff check --fix

services: setup ## PostgreSQL and the client programs that the tests drive
	$(BIN)/python -m tools.services

bench: setup ## what a request, an event, a stream costs, beside nginx in the same run; ARGS='--only cpu-1kb --rounds 5'
	$(BIN)/python -m bench.run $(ARGS)

bench-check: setup ## a short bench that fails where a ratio to nginx is a quarter worse than in bench/baseline.json
	$(BIN)/python -m bench.check $(ARGS)

kills: setup ## kill -9 at random under load, and whether anything is lost; ARGS='--kills 10'
	$(BIN)/python -m bench.kills $(ARGS)

fuzz: setup ## every parser for a while; ARGS='--target sse --seconds 600'
	$(BIN)/python -m tests.fuzz.run --target all $(ARGS)

soak: setup ## an hour of moderate load, and whether anything grows; ARGS='--minutes 5'
	$(BIN)/python -m bench.soak $(ARGS)

docs: setup ## docs/reference and the README's transcripts again, from the code
	$(BIN)/python tools/docs.py && $(BIN)/python tools/transcript.py

prices: setup ## newest list prices from genai-prices
	$(BIN)/python -m tools.lock --upgrade-package genai-prices && $(PYTHON) tools/setup.py dev && $(BIN)/python tools/prices.py

lock: setup ## requirements/*.txt again; ARGS=--upgrade takes newer releases, a week old at least
	$(BIN)/python -m tools.lock $(ARGS)

clean: ## removes all that the other targets made
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

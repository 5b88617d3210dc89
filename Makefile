# make demo   a library, a corpus, its validation and its report from the embedded defaults, in ./demo
# make test   the tests          make check   format, lint, types, import contracts, tests
# make test-slow                 the tests that take minutes
# make bench  every script in benchmarks/        make bench-NAME   benchmarks/NAME.py alone
SHELL := bash
BIN := .venv/bin
READY := .venv/.installed

.PHONY: demo test test-slow lint check bench

demo: $(READY)
	$(BIN)/streamaudio demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

check: lint test

bench: $(patsubst benchmarks/%.py,bench-%,$(sort $(wildcard benchmarks/*.py)))

bench-%: benchmarks/%.py $(READY)
	$(BIN)/python $<

# The first interpreter that runs and is of a supported version.
$(READY): pyproject.toml constraints.txt
	@set -e; \
	for python in python3.11 python3.12 python3; do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; then \
	    echo "creating .venv with $$("$$python" --version)"; \
	    "$$python" -m venv .venv; \
	    break; \
	  fi; \
	done; \
	test -x $(BIN)/python || { echo "Python 3.11 or 3.12 is needed; python3 here is $$(python3 --version 2>&1)" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[speech,generate,test,dev]'
	@touch $@

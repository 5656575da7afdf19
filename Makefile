# The whole set-up of a fresh machine with Python 3.11: `make demo` or `make test`,
# in any order. Both share .venv; the stamps say what has been installed into it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
EXAMPLE := examples/chb01_03_1_eeg.edf

.PHONY: help demo test test-all attack nightly lint audit golden clean

help:
	@echo "make demo      install the base, find the seizure of the example, draw demo/page.png"
	@echo "make test      install everything, run the tests that take seconds"
	@echo "make test-all  every test, the slow ones too"
	@echo "make nightly   25,000 broken files through every reader, and the review page"
	@echo "make lint      ruff and mypy"
	@echo "make audit     known weaknesses of what is installed; asks PyPI over the network"
	@echo "make golden    what the bundled models find, written anew after a training"

.venv/.base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/.all: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[train,evaluate,review,live,archive,onnx,dev]"
	touch $@

# axe-core checks pages for accessibility; without npm those tests are skipped.
.venv/.axe: .venv/.all
	if command -v npm >/dev/null; then \
		npm install --silent --no-save --prefix .venv/axe axe-core@4.14.1; fi
	touch $@

demo: .venv/.base
	mkdir -p demo
	$(BIN)/distilclip detect $(EXAMPLE) --picture demo/page.png --force
	@echo "The page with the event marked: demo/page.png"

# One thread per worker: two workers on two cores would otherwise fight over them.
# Playwright stays out of the process that holds every other native library.
# In parts: with every native library in one process a worker died of a segmentation fault.
PARTS := a-e f-l m-q r-z
PAGES := tests/test_review_page.py tests/test_report.py tests/test_browser_example.py
test: .venv/.all .venv/.axe
	set -e; for part in $(PARTS); do OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 \
		-m "not slow and not browser" tests/test_[$$part]*.py; done
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "browser and not slow" $(PAGES)

test-all: .venv/.all .venv/.axe
	set -e; for part in $(PARTS); do OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 \
		-m "not browser" tests/test_[$$part]*.py; done
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m browser $(PAGES)
	$(MAKE) attack

# A case is its number: `make nightly FIRST=2000` goes on where a night ended. What fails
# is written to tests/regressions, and from then on every `make test` reads it again.
FIRST ?= 1000
CASES ?= 800
attack: .venv/.all
	OMP_NUM_THREADS=1 $(BIN)/python tests/attack.py --keep --first $(FIRST) --cases $(CASES)

nightly: attack
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/test_attacked_review.py

lint: .venv/.all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

# In an environment of its own: what looks must not be part of what is looked at.
.venv/audit: .venv/.all
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet "pip-audit>=2.7,<3"
	touch $@

audit: .venv/audit
	PIPAPI_PYTHON_LOCATION=$(BIN)/python .venv/audit/bin/pip-audit --local --skip-editable \
		--progress-spinner off --timeout 10 || { echo "make audit: not passed. With a table \
	above: update what it names. With a connection error: PyPI's vulnerability service \
	cannot be reached from here, run it where it can." >&2; exit 1; }

golden: .venv/.all
	OMP_NUM_THREADS=1 $(BIN)/python tests/golden.py

clean:
	rm -rf .venv demo dist

# Everything runs in .venv, built once from pyproject.toml with the exact versions of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
# pip takes torch and torchvision as the pair that constraints.txt pins.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install install-dev demo docs test lint types faces mutants clean

install: .venv/.installed

install-dev: .venv/.installed-dev

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(INSTALL) -e '.[dev]'
	touch $@

demo: install
	$(BIN)/rarebird demo

# The pages of docs/, with one page per slot made from the methods' cards; build/docs/index.html is the first.
# The variable silences the theme's word on its end of life (May 2027), which is no fault of the pages.
docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Commands that the tests start would compile the project anew each time where Python writes no bytecode.
test: install-dev
	$(BIN)/python -m compileall -q src
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup --durations 40 --durations-min 3

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy
	$(BIN)/mypy --config-file benchmarks/mypy.ini

# The stubs of the public classes that are made of methods; the tests tell when they are not current.
faces: install-dev
	$(BIN)/python -m tests.face_stubs

# Goes on where it was stopped; delete the folder mutants to begin anew. docs/testing.md tells what it is for.
mutants: install-dev
	OMP_NUM_THREADS=1 $(BIN)/python -P benchmarks/try_mutants.py
	$(BIN)/python benchmarks/mutants.py

clean:
	rm -rf .venv build dist mutants src/*.egg-info

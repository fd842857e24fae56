# Everything a person or CI does with this repository. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench eval format lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## create .venv and install what requirements.lock pins

$(STAMP): requirements.lock packages/ledgix/pyproject.toml packages/ledgix-vault/pyproject.toml packages/ledgix-gateway/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		-e packages/ledgix -e packages/ledgix-vault -e packages/ledgix-gateway
	@touch $(STAMP)

demo: $(STAMP) ## run the main job on a temporary Vault and show what happened
	@$(BIN)/python examples/refunds/demo.py

test: $(STAMP) ## run every test
	@tests/install-debian
	$(BIN)/python -m pytest

check: $(STAMP) ## lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## measure speed on this machine, all figures from one run
	$(BIN)/python benchmarks/run.py

eval: $(STAMP) ## run labelled calls of an airline through its policy, and count
	@$(BIN)/python examples/policies/airline/evaluate.py

format: $(STAMP) ## put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## pin what the pyproject.toml files and requirements-dev.in ask for (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-package ledgix \
		packages/ledgix/pyproject.toml packages/ledgix-vault/pyproject.toml packages/ledgix-gateway/pyproject.toml requirements-dev.in -o requirements.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) artefacts .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

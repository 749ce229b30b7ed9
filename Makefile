# The commands of this repository; `make help` lists them. Each builds first what it needs, and only once.

PYTHON ?= python3
# Handed to pytest, for example: make test PYTEST="-n 0 -k alert"
PYTEST ?= -n 2 --dist loadfile

# What `make demo` plays
SCENARIO = protest

BIN := .venv/bin
STEP := @scripts/step.sh
ASSETS := src/impetus/ui/static/vendor/versions.json
COMPILE := $(BIN)/uv pip compile pyproject.toml --group development --all-extras --universal --python-version 3.11 \
  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
  --quiet --output-file requirements.lock

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo environment test test-all check lint types layers docs weaknesses test-packages reference format \
  bench lock audit wheel clean distclean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

demo: environment ## Play an exercise in a live demo city (PORT=8600, SCENARIO=protest; SCENARIO= for the city alone)
	@exec $(BIN)/impetus demo $(if $(PORT),--port $(PORT)) $(if $(SCENARIO),--scenario $(SCENARIO))

test: environment test-packages check ## Run every check and all tests but the slow ones
	@echo "Running the tests ..."
	@$(BIN)/pytest -q $(PYTEST)

test-all: environment test-packages check ## Run every check and all tests
	@echo "Running all tests, the slow ones too ..."
	@HYPOTHESIS_PROFILE=searching $(BIN)/pytest -q -m "" $(PYTEST)

check: lint layers types docs weaknesses

lint: environment ## Check style and formatting (ruff)
	$(STEP) ruff-check "Checking the style" $(BIN)/ruff check .
	$(STEP) ruff-format "Checking the formatting" $(BIN)/ruff format --check .

format: environment ## Put style and formatting right, where a program can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

layers: environment ## Check that imports go down only (import-linter)
	$(STEP) layers "Checking the import layers" $(BIN)/lint-imports

types: environment ## Check types (mypy strict)
	$(STEP) types "Checking the types" $(BIN)/mypy

docs: environment ## Build the documentation into site/
	$(STEP) docs "Building the documentation" env NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: environment ## Write docs/reference/ anew from the code
	@$(BIN)/python scripts/generate_reference.py

weaknesses: environment
	@$(BIN)/python scripts/bill_of_materials.py dist/bill-of-materials.json
	@$(BIN)/python scripts/audit.py --say

audit: environment ## Write the bill of materials, and fail for a known weakness where an advisory service answers
	@$(BIN)/python scripts/bill_of_materials.py dist/bill-of-materials.json
	@$(BIN)/python scripts/audit.py

bench: environment ## Measure and print the figures
	@$(BIN)/python -m benchmarks

wheel: environment ## Build the distribution into dist/
	$(STEP) wheel "Building the wheel" $(BIN)/uv build --wheel --no-build-isolation

lock: .make/dependencies ## Write the lock files anew (UPGRADE=1 takes newer versions)
	$(STEP) lock-python "Locking the Python packages" $(COMPILE) $(if $(UPGRADE),--upgrade)
	$(STEP) lock-npm "Locking the browser libraries" $(BIN)/python scripts/vendor_assets.py --lock

clean: ## Remove what was built, except the environment
	@rm -rf site build dist test-results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## Remove the environment and the browser libraries too
	@rm -rf .venv .make src/impetus/ui/static/vendor

environment: .make/installed $(ASSETS)

test-packages:
	@scripts/install_test_packages.sh

.venv/pyvenv.cfg:
	$(STEP) environment "Creating the environment .venv" scripts/create_environment.sh $(PYTHON)

.make/dependencies: requirements.lock .venv/pyvenv.cfg
	$(STEP) dependencies "Installing the locked Python packages (minutes, the first time)" \
	  $(BIN)/python -m pip install --no-input --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r requirements.lock
	@touch $@

.make/installed: pyproject.toml .make/dependencies
	$(STEP) installed "Installing impetus" \
	  $(BIN)/python -m pip install --no-input --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(ASSETS): package.json package-lock.json .npmrc scripts/vendor_assets.py .make/dependencies
	$(STEP) assets "Copying the browser libraries" $(BIN)/python scripts/vendor_assets.py
	@touch $@

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A CPU build of torch where there is no GPU; override with TORCH=torch on a CUDA machine.
TORCH ?= torch==2.13.0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check install fix clean

demo: $(VENV)/.installed  ## generate notes, train on them, measure on others
	$(BIN)/karl demo

test: $(VENV)/.installed  ## all tests, the slow ones too
	$(BIN)/python -m pytest tests

check: $(VENV)/.installed  ## format, lint, types, import rules, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests -m "not slow"

fix: $(VENV)/.installed  ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed

# torch first and by exact version: a range would fetch gigabytes of CUDA libraries.
$(VENV)/.installed: pyproject.toml
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q "$(TORCH)"
	$(BIN)/python -m pip install -q -e ".[offline,dev]"
	touch $@

clean:
	rm -rf $(VENV) .karl build *.egg-info

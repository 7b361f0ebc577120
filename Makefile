PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Arguments of `pip install`, options included. Which build pip fetches depends on where it looks: PyPI's wheel for Linux
# brings CUDA. For a CPU build: make TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
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

# Before anything is fetched; an environment that is there already answers for itself.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

# torch first and by itself: TORCH may name another index, which the other packages must not come from.
$(VENV)/.installed: pyproject.toml
	@python=$$(test -d $(VENV) && echo $(BIN)/python || echo $(PYTHON)); $$python -c '$(FITS)' 2>/dev/null \
	  || { echo "karl needs Python 3.11 or 3.12, and $$python is $$($$python --version 2>/dev/null || echo missing):" \
	    "make PYTHON=python3.12 (and remove $(VENV) if it is there)" >&2; exit 1; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(TORCH)
	$(BIN)/python -m pip install -q -e ".[offline,mcp,otel,dev]"
	touch $@

clean:
	rm -rf $(VENV) .karl build *.egg-info

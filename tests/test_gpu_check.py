"""`scripts/gpu_check.sh` on the CPU: it runs where nothing but torch and transformers is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
# As if they were not installed; transformers asks for some of them and must be told no, not be broken.
HIDE = """
import importlib.machinery
HIDDEN = {"verl", "ray", "tensordict", "pydantic", "sqlmodel", "sqlalchemy", "alembic", "langgraph", "langchain_core"}
find = importlib.machinery.PathFinder.find_spec
importlib.machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name.split(".")[0] in HIDDEN else find(name, path, target)
)
"""


def gpu_check(path: Path, *options: str) -> dict[str, Any]:
    """The report of a run that succeeded, with `path` in front of the packages."""
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    command = [str(REPOSITORY / "scripts" / "gpu_check.sh"), "--size", "tiny", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_a_bare_machine_is_enough(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    report = gpu_check(tmp_path, "--device", "cpu")
    figures = report["figures"]
    assert figures["verl"] is None and figures["trained by"] == "a plain PyTorch loop over the pure loss"
    assert figures["exactness"]["per_segment float32"] < 1e-6 < figures["exactness"]["per_segment bfloat16"] < 0.05
    assert figures["learning"]["seeds"] == 2 and figures["learning"]["smallest_gap_nats"] > 1
    assert figures["utilisation"]["data_sheet_flops"] is None
    assert figures["utilisation"]["trainers"]["selective bfloat16"]["tokens_per_second"] > 0
    assert {target["ok"] for target in report["targets"]} == {True}


@pytest.mark.slow
def test_verl_is_held_against_the_loop_where_it_is_there(tmp_path: Path):
    figures = gpu_check(tmp_path, "--device", "cpu")["figures"]
    assert figures["verl"] is not None
    assert figures["step"]["verl against the loop"] < 1e-5


def test_a_missing_gpu_is_told(tmp_path: Path):
    environment = {**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    command = [str(REPOSITORY / "scripts" / "gpu_check.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--device cpu" in done.stderr

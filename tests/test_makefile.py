"""The Makefile's first steps, where nothing is installed yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make install` in a folder that has the Makefile and no environment."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    # Under `make test` the outer make's flags and level would change what the inner one prints.
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    called = ["make", "install", *arguments]
    return subprocess.run(called, cwd=folder, env=environment, capture_output=True, text=True, timeout=20, check=False)


def test_an_unfit_python_is_told_in_one_line_before_anything_is_made(tmp_path: Path):
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.4\n[ "$1" != -c ]\n')
    old.chmod(0o755)
    for python, found in ((str(old), "Python 3.10.4"), ("no-such-python", "missing")):
        ended = make(tmp_path, f"PYTHON={python}")
        said = [line for line in ended.stderr.splitlines() if not line.startswith("make:")]
        assert ended.returncode == 2
        assert len(said) == 1
        assert said[0].startswith(f"karl needs Python 3.11 or 3.12, and {python} is {found}: make PYTHON=")
    assert not (tmp_path / ".venv").exists()


def test_torch_takes_options_of_pip(tmp_path: Path):
    planned = make(tmp_path, "--dry-run", "TORCH=torch==2.13.0 --index-url https://example.org/cpu").stdout
    assert "pip install -q torch==2.13.0 --index-url https://example.org/cpu\n" in planned

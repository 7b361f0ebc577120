"""The bench of the local engine: every number of processes answers the same questions, and is named."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from karl.cli import karl


@pytest.mark.timeout(120)
def test_processes_are_compared_in_turns() -> None:
    sizes = ["--questions", "3", "--repeats", "2", "--processes", "0", "--processes", "1", "--processes", "1"]
    result = CliRunner().invoke(karl, ["bench", "sampling", *sizes, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = report["figures"]
    assert (report["name"], figures["questions"], figures["rollouts"]) == ("sampling", 3, 24)
    assert list(figures["rollouts_per_second"]) == ["0", "1"]
    for rates in figures["rollouts_per_second"].values():
        assert 0 < rates["slowest"] <= rates["median"] <= rates["fastest"]

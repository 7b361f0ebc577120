"""The judge's bench: every item is a request that was judged as scripted; what is measured is named."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from karl.cli import karl


@pytest.mark.timeout(120)
def test_the_bench_reports_items_a_second_against_its_target() -> None:
    result = CliRunner().invoke(karl, ["bench", "judge", "--items", "40", "--repeats", "2", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = report["figures"]
    assert (figures["items"], figures["repeats"], figures["concurrency"]) == (40, 2, 64)
    assert 0 < figures["slowest"] <= figures["items_per_second"] <= figures["fastest"]
    assert figures["cached_items_per_second"] > 0 and figures["cpu_milliseconds_an_item"] > 0
    (target,) = report["targets"]
    assert (target["key"], target["op"], target["target"]) == ("items_per_second", ">=", 500.0)
    assert target["ok"] is (figures["items_per_second"] >= 500)

"""`karl search` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.karl.kit import call


def test_filters_are_given_as_property_and_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    notes = tmp_path / "notes"
    notes.mkdir()
    for year in (2018, 2019, 2020):
        (notes / f"plan-{year}.md").write_text(f"---\nyear: {year}\n---\n\n# Plan\n\nThe harbor plan of {year}.")
    assert call(capsys, "ingest", notes, "--name", "notes", "--embedder", "none").code == 0

    def found(*options: str) -> list[str]:
        ended = call(capsys, "search", "notes", "harbor plan", *options)
        assert ended.code == 0
        return sorted(word for word in ended.out.split() if word.endswith(".md#0"))

    assert found() == ["plan-2018.md#0", "plan-2019.md#0", "plan-2020.md#0"]
    assert found("--where", "year=2018", "--where", "year=2019") == ["plan-2018.md#0", "plan-2019.md#0"]
    assert found("--where", "year=20*", "--where", "path=*-2020.md") == ["plan-2020.md#0"]
    nothing = call(capsys, "search", "notes", "harbor", "--where", "year=1999")
    assert (nothing.code, nothing.out) == (0, "no chunk matches; try other words or another --where\n")
    unknown = call(capsys, "search", "notes", "harbor", "--where", "colour=red")
    assert unknown.code == 2
    assert "nothing in corpus 'notes' has a property 'colour'; there are:" in unknown.err
    wrong = call(capsys, "search", "notes", "harbor", "--where", "2018")
    assert wrong.code == 2
    assert "'2018': write PROPERTY=VALUE, such as 'path=3M*'" in wrong.err

"""A plugin of another package, installed as far as importlib.metadata can tell: loaded, configured, run, refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphs.plugins.external import plugin_clashes
from graphs.schema import GraphSpec, StepBudget, graph_json_schema, parse_spec
from graphs.state import RolloutInputs
from store.errors import UsageError
from store.types import Purpose, RolloutStatus
from tests.graphs.small import small_runner, small_spec
from tests.harness_kit import text_policy
from tests.karl.kit import call

MODULE = """
from typing import ClassVar, Literal

from pydantic import Field

from karl.plugins import Passive, PluginSettings, Rollout


class Settings(PluginSettings):
    turn_outcomes = frozenset({"exhausted"})

    kind: Literal["patience"]
    malformed: int = Field(ge=1, description="malformed turns in a row that are put up with")


class Patience(Passive[Settings]):
    Settings = Settings
    ended: ClassVar[list[str]] = []

    def after_turn(self, rollout: Rollout, outcome: str) -> str | None:
        streak = self.note(rollout, list)
        streak.append(outcome) if outcome == "malformed" else streak.clear()
        return "exhausted" if len(streak) >= self.settings.malformed else None

    def at_end(self, rollout: Rollout) -> None:
        self.ended.append(rollout.key)


class NoSettings:
    pass
"""
ENTRY_POINTS = """[karl.plugins]
patience = fake_patience:Patience
homeless = fake_patience:Missing
shapeless = fake_patience:NoSettings
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, importable, with a dist-info folder beside it."""
    info = tmp_path / "fake_patience-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-patience\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "fake_patience.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("fake_patience", None)


def with_plugin(**settings: Any) -> GraphSpec:
    return small_spec("solver", plugins=[{"kind": "step_budget", "steps": 6}, settings])


async def test_a_graph_names_it_like_one_of_ours(installed: None) -> None:
    plugins = [{"kind": "patience", "malformed": 2}, {"kind": "step_budget", "steps": 6}]
    policy = text_policy("hm", "<search>mira</search>", "hm", "hm", "never asked")
    runner = small_runner("solver", policy=policy, plugins=plugins)
    record = await runner.run(RolloutInputs("?"), key="r", purpose=Purpose.TRAIN, seed=0)
    assert record.status is RolloutStatus.UNFINISHED
    assert [step.kind for step in record.steps] == ["malformed", "search", "malformed", "malformed"]
    assert sys.modules["fake_patience"].Patience.ended == ["r"]


def test_its_settings_are_closed_and_part_of_the_hash(installed: None) -> None:
    two, three = with_plugin(kind="patience", malformed=2), with_plugin(kind="patience", malformed=3)
    assert two.sha256 != three.sha256 and two.sha256 == with_plugin(kind="patience", malformed=2).sha256
    assert two.model_dump()["plugins"][1] == {"kind": "patience", "malformed": 2}
    assert two.model_dump_json() and "patience" in two.model_dump_json()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{kind: patience, malformd: 2}", "key 'plugins.0.malformd': unknown key; .*did you mean 'malformed'"),
        ("{kind: patience, malformed: 0}", "key 'plugins.0.malformed': Input should be greater than or equal to 1"),
        ("{kind: patience}", "key 'plugins.0': the key 'malformed' is missing"),
        ("{kind: patiense, malformed: 2}", "key 'plugins.0': 'patiense' is no valid kind; .*did you mean 'patience'"),
        ("{kind: step_budgt, steps: 2}", "'step_budgt' is no valid kind; .*did you mean 'step_budget'"),
        ("{steps: 2}", "key 'plugins.0': the key 'kind' is missing; expected one of .*patience.*step_budget"),
        ("{kind: homeless}", "plugin 'homeless' of fake-patience 1.2 .*can't be used: AttributeError"),
        ("{kind: shapeless}", "plugin 'shapeless' of fake-patience 1.2 .*it has no class 'Settings'"),
    ],
)
def test_its_mistakes_are_named_like_ours(installed: None, settings: str, message: str) -> None:
    data = small_spec("solver").model_dump(mode="json", exclude={"plugins"}, exclude_none=True)
    text = f"plugins:\n  - {settings}\n{yaml.safe_dump(data)}"
    with pytest.raises(UsageError, match=rf"f:2:\d+: .*{message}"):
        parse_spec(text, source="f")


RIVAL = """[karl.plugins]
patience = rival:Patience
step_budget = rival:Budget
"""


@pytest.fixture
def rival(tmp_path: Path) -> Path:
    """Another package: one of its plugins is named like one of ours, the other like that of `fake_patience`."""
    info = tmp_path / "rival-3.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 3.0\n")
    (info / "entry_points.txt").write_text(RIVAL)
    return tmp_path


def test_plugins_that_share_a_name_are_told_with_package_and_entry_point(installed: None, rival: Path) -> None:
    folders, messages = zip(*plugin_clashes(), strict=True)
    assert set(folders) == {rival} and len(messages) == 3
    assert (
        "plugin 'step_budget' of rival 3.0 (rival:Budget) is never used: karl has a plugin of that name; its entry "
        "point needs another, or uninstall it"
    ) in messages
    ours, theirs = "fake-patience 1.2 (fake_patience:Patience)", "rival 3.0 (rival:Patience)"
    assert f"plugin 'patience' of {ours} can't be told from that of {theirs}; uninstall all but one" in messages
    with pytest.raises(UsageError, match=r"plugin 'patience' of .* can't be told from that of .*; uninstall all but"):
        with_plugin(kind="patience", malformed=2)


def test_ours_stays_where_another_package_takes_its_name(installed: None, rival: Path) -> None:
    (budget,) = small_spec("solver", plugins=[{"kind": "step_budget", "steps": 6}]).plugins
    assert isinstance(budget, StepBudget)


def test_a_plugin_alone_is_no_clash(installed: None) -> None:
    assert plugin_clashes() == []


def test_karl_graph_warns_of_a_name_that_is_taken(
    rival: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(rival)
    monkeypatch.syspath_prepend(str(rival))
    told = "plugin 'step_budget' of rival 3.0 (rival:Budget) is never used: karl has a plugin of that name"
    listed = call(capsys, "graph", "list")
    assert listed.code == 0 and f"karl: {rival}: {told}" in listed.err
    checked = call(capsys, "graph", "validate")
    assert checked.code == 0 and f"{rival}:1:1: warning: {told}" in checked.out
    assert call(capsys, "graph", "validate", "--strict").code == 1


def test_without_the_package_the_kind_is_unknown() -> None:
    with pytest.raises(UsageError, match="'patience' is no valid kind; expected one of compression, step_budget"):
        with_plugin(kind="patience", malformed=2)


def test_the_json_schema_completes_ours_and_lets_others_pass() -> None:
    schema = graph_json_schema()
    assert schema["$defs"]["StepBudget"]["properties"]["steps"]["minimum"] == 1
    assert "Installed plugin" in str(schema) and "karl.plugins" in str(schema)

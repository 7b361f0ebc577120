"""From texts to the settings of a run, and to the command that starts the same one."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from karl.commands.run import run as run_command
from karl.control.form import (
    Draft,
    arguments,
    as_text,
    environment,
    fields,
    parse,
    settings_for,
    shown_command,
    texts_of,
)
from karl.run_config import RunConfig, make_config
from karl.settings import Settings
from store.errors import UsageError


def config_of(**texts: str) -> RunConfig:
    parsed = parse(Draft(texts))
    assert parsed.config is not None, parsed.problems
    return parsed.config


def test_every_setting_has_a_field_with_help():
    found = fields()
    assert sorted(field.name for field in found) == sorted(RunConfig.model_fields)
    assert all(field.help for field in found)
    by_name = {field.name: field for field in found}
    assert by_name["corpus"] == found[0]
    assert by_name["algorithm"].choices == ("oapl", "grpo", "sft")
    assert by_name["sft_control"].choices == ("true", "false")
    assert by_name["generator_runs"].default == "1000"
    assert by_name["eval_temperatures"].default == "0.5"
    assert (by_name["base"].default, by_name["leave_out"].default) == ("", "")
    assert not by_name["generator_runs"].advanced
    assert by_name["anchors"].advanced


def test_defaults_of_the_texts_are_those_of_a_run():
    texts = {field.name: field.default for field in fields()}
    assert config_of(**texts | {"corpus": "notes"}) == make_config({"corpus": "notes"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("eval_temperatures", "none", ()),
        ("eval_temperatures", "[]", ()),
        ("eval_temperatures", "0.3, 0.7", (0.3, 0.7)),
        ("tasks", "freshstack,trec-biogen", ("freshstack", "trec-biogen")),
        ("leave_out", '["a, b", "c"]', ("a, b", "c")),
        ("leave_out", "[a-c]+", ("[a-c]+",)),
        ("sft_control", "false", False),
        ("train_steps", "", None),
        ("train_steps", "12", 12),
        ("anchors", "0.25", 0.25),
    ],
)
def test_texts_are_read_as_settings(name: str, text: str, value: object):
    assert getattr(config_of(corpus="notes", **{name: text}), name) == value


@pytest.mark.parametrize(
    ("texts", "name", "said"),
    [
        ({}, "corpus", "choose a corpus"),
        ({"corpus": "notes", "iterations": "0"}, "iterations", "greater than or equal to 1"),
        ({"corpus": "notes", "iterations": "two"}, "iterations", "Input should be a valid integer"),
        ({"corpus": "notes", "leave_out": "("}, "leave_out", "is not a regular expression"),
        ({"corpus": "notes", "algorithm": "sft"}, "", "set sft_control to false"),
    ],
)
def test_problems_are_told_by_setting(texts: dict[str, str], name: str, said: str):
    parsed = parse(Draft(texts))
    assert parsed.config is None
    assert list(parsed.problems) == [name]
    assert said in parsed.problems[name]
    assert "unable to parse" not in parsed.problems[name]


@pytest.mark.parametrize(
    "settings",
    [
        {"corpus": "notes"},
        {"corpus": "my notes", "iterations": 3, "seed": 7, "tasks": ["freshstack", "trec-biogen"], "recipe": "sft"},
        {"corpus": "n", "eval_temperatures": [], "sft_control": False, "leave_out": ["a, b"], "sft_recipe": "12"},
        {"corpus": "n", "questions": "q.jsonl", "question_corpus": "m", "train_steps": 5, "base": "some folder/policy"},
    ],
)
def test_the_command_and_the_texts_make_the_same_run(settings: dict[str, Any]):
    wanted = make_config(settings)
    draft = Draft(texts_of(wanted.stored()), name="notes-7")
    assert config_of(**draft.texts) == wanted
    command, *given = arguments(draft, wanted)
    assert command == "run"
    context = click.Context(run_command)
    rest = run_command.parse_args(context, list(given))
    assert rest == []
    values = dict(context.params)
    assert values.pop("name") == "notes-7"
    told = {**values, **values.pop("settings_set")}
    known = {key: value for key, value in told.items() if key in RunConfig.model_fields and value is not None}
    assert make_config(known) == wanted


def test_the_embedded_policy_is_no_text():
    assert texts_of(make_config({"corpus": "notes"}).stored()) == {"corpus": "notes"}


def test_only_what_differs_is_in_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KARL_HOME", raising=False)
    settings = Settings(home=tmp_path / ".karl")
    draft = Draft({"corpus": "my notes", "generator_runs": "40"})
    shown = shown_command(draft, config_of(**draft.texts), settings)
    assert shown == "karl run --corpus 'my notes' --set generator_runs=40"
    elsewhere = shown_command(draft, config_of(**draft.texts), Settings(home=tmp_path / "other"))
    assert elsewhere.startswith("karl --home other run --corpus ")


def test_the_demo_decides_corpus_and_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    draft = Draft({"corpus": "ignored", "questions": "no.jsonl", "seed": "3", "max_tasks": "9"}, demo=True, name="x")
    config = parse(draft).config
    assert config is not None
    assert (config.corpus, config.question_corpus, config.questions) == ("demo-train-3", "demo-test-3", None)
    assert arguments(draft, config) == ["demo", "--seed", "3", "--set", "max_tasks=9"]


def test_the_engine_is_laid_over_the_project(tmp_path: Path):
    settings = Settings(home=tmp_path)
    draft = Draft({"corpus": "notes"}, engine="vllm", vllm_url="http://a:1/v1, http://b:2/v1")
    assert environment(draft) == {"KARL_ENGINE": "vllm", "KARL_VLLM_URL": "http://a:1/v1, http://b:2/v1"}
    laid = settings_for(draft, settings)
    assert (laid.engine, laid.vllm_url) == ("vllm", ["http://a:1/v1", "http://b:2/v1"])
    shown = shown_command(draft, config_of(corpus="notes"), settings)
    assert shlex.split(shown)[:2] == ["KARL_ENGINE=vllm", "KARL_VLLM_URL=http://a:1/v1, http://b:2/v1"]
    assert environment(Draft({})) == {}
    with pytest.raises(UsageError, match=r"engine 'chat' needs a table \[chat\]"):
        settings_for(Draft({}, engine="chat"), settings)


def test_values_as_texts():
    assert [as_text(value) for value in (None, True, (), (0.5, 1.0), ("a",), Path("x"), 3)] == [
        *("", "true", "", "0.5, 1.0", "a", "x", "3")
    ]
    assert json.loads(as_text(("a, b",))) == ["a, b"]

"""Settings from a file and from the environment: what each key becomes, and what is said of a wrong one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from karl.settings import load_settings
from store.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_home_is_absolute_wherever_it_was_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    assert load_settings().home == folder / ".karl"
    assert load_settings(home="data/../other").home == folder / "other"
    (folder / "karl.toml").write_text('home = "from-file"\n')
    assert load_settings().home == folder / "from-file"
    assert load_settings().store_url == f"sqlite:///{folder}/from-file/karl.db"
    monkeypatch.setenv("HOME", str(folder / "me"))
    monkeypatch.setenv("KARL_HOME", "~/karl")
    assert load_settings().home == folder / "me" / "karl"


def test_home_of_an_unknown_user_is_told(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match=r"home '~nobody-of-that-name/x'.*KARL_HOME"):
        load_settings(home="~nobody-of-that-name/x")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"engne": "vllm"}, "settings: unknown key 'engne'; did you mean 'engine'?"),
        ({"folder": "x"}, "settings: unknown key 'folder'; known keys: home, "),
        ({"engine": "vlm"}, "settings: key 'engine': Input should be 'local', 'vllm' or 'chat', got 'vlm'"),
        ({"engine": "chat"}, "settings: engine 'chat' needs a table [chat] with base_url and model"),
        ({"graph_path": ["none"]}, "settings: key 'graph_path': no folder 'none' in "),
    ],
)
def test_what_a_caller_got_wrong_is_not_blamed_on_the_file(folder: Path, given: dict[str, Any], told: str):
    (folder / "karl.toml").write_text("concurrency = 8\n")
    with pytest.raises(UsageError) as refused:
        load_settings(**given)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize("key", ["graph_path", "prompt_path"])
def test_a_folder_that_is_not_there_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str):
    (folder / "mine").mkdir()
    (folder / "karl.toml").write_text(f'{key} = ["mine", "nosuch"]\n')
    with pytest.raises(UsageError, match=rf"karl\.toml: key '{key}': no folder 'nosuch' in {folder}; make it"):
        load_settings()
    monkeypatch.setenv(f"KARL_{key.upper()}", "neither")
    with pytest.raises(UsageError, match=rf"^KARL_{key.upper()}: key '{key}': no folder 'neither'"):
        load_settings()


def test_every_key_can_be_a_variable(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "karl.toml").write_text('graph_path = ["shadowed"]\nconcurrency = 3\n')
    for place in ("a", "b/c", "prompts"):
        (folder / place).mkdir(parents=True)
    monkeypatch.setenv("KARL_GRAPH_PATH", os.pathsep.join(["a", "b/c", ""]))
    monkeypatch.setenv("KARL_PROMPT_PATH", "prompts")
    monkeypatch.setenv("KARL_JUDGE", '{"base_url": "http://j/v1", "model": "m", "api_key": "secret-j"}')
    monkeypatch.setenv("KARL_ENGINE", "vllm")
    monkeypatch.setenv("KARL_ENGINE_PROCESSES", "3")
    monkeypatch.setenv("KARL_VLLM_API_KEY", "secret-v")
    settings = load_settings()
    assert settings.graph_path == [Path("a"), Path("b/c")]
    assert settings.prompt_path == [Path("prompts")]
    assert settings.judge is not None
    assert (settings.judge.base_url, settings.judge.model, settings.judge.api_key) == ("http://j/v1", "m", "secret-j")
    assert (settings.engine, settings.vllm_api_key, settings.concurrency) == ("vllm", "secret-v", 3)
    assert settings.engine_processes == 3
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KARL_JUDGE", '{"base_url": ', r"KARL_JUDGE: not valid JSON.*write such as \{"),
        ("KARL_JUDGE", '"gpt"', r"KARL_JUDGE: key 'judge'"),
        ("KARL_JUDGE", '{"base_url": "u", "modl": "m"}', r"KARL_JUDGE: unknown key 'judge.modl'; did you mean 'model'"),
        ("KARL_ENGINE", "vlm", r"KARL_ENGINE: key 'engine'.*got 'vlm'"),
        ("KARL_ENGINE_PROCESSES", "-1", r"KARL_ENGINE_PROCESSES: key 'engine_processes.*got '-1'"),
        ("KARL_CONCURRENCY", "0", r"KARL_CONCURRENCY: key 'concurrency'.*got '0'"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str):
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        load_settings()


def test_a_message_repeats_no_key(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KARL_JUDGE", '{"base_url": "u", "api_key": "secret-j"}')
    with pytest.raises(UsageError, match=r"KARL_JUDGE: key 'judge.model': Field required") as missing:
        load_settings()
    assert "secret-j" not in str(missing.value)
    monkeypatch.delenv("KARL_JUDGE")
    (folder / "karl.toml").write_text("vllm_api_key = 123456\n")
    with pytest.raises(UsageError, match=r"karl\.toml: key 'vllm_api_key'") as wrong:
        load_settings()
    assert "123456" not in str(wrong.value)

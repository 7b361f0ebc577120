"""Settings of a project folder: `karl.toml`, overridden by KARL_* variables. Frozen, closed, read once by the CLI."""

from __future__ import annotations

import json
import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from agents.engines.settings import ChatSettings, RouterSettings
from agents.structured import JudgeSettings
from karl.telemetry import TelemetrySettings
from store.errors import UsageError
from store.search_servers import EmbeddingSettings, SearchServers, WeaviateSettings

SETTINGS_FILE = "karl.toml"
ENVIRONMENT_PREFIX = "KARL_"
LISTS = frozenset({"graph_path", "prompt_path"})  # their variables are split like PATH
# Their variables are JSON.
TABLES: dict[str, type[BaseModel]] = {
    "judge": JudgeSettings,
    "routing": RouterSettings,
    "chat": ChatSettings,
    "telemetry": TelemetrySettings,
    "embedding": EmbeddingSettings,
    "weaviate": WeaviateSettings,
}
EXAMPLES = {
    "judge": '{"base_url": "http://127.0.0.1:8001/v1", "model": "my-judge"}',
    "routing": '{"retries": 8, "concurrency": 64}',
    "chat": '{"base_url": "https://api.example.org/v1", "model": "its-model", "api_key": "..."}',
    "telemetry": '{"endpoint": "http://127.0.0.1:4318"}',
    "embedding": '{"base_url": "http://127.0.0.1:8002/v1", "concurrency": 16}',
    "weaviate": '{"url": "http://127.0.0.1:8080", "api_key": "..."}',
}


def _urls(given: Any) -> Any:
    """One URL, or several with spaces or commas between them."""
    return given.replace(",", " ").split() if isinstance(given, str) else given


class Settings(BaseModel, frozen=True, extra="forbid"):
    """What a project folder fixes for every command."""

    home: Path = Field(Path(".karl"), description="data folder, absolute once loaded; nothing is written elsewhere")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in the home folder")
    engine: Literal["local", "vllm", "chat"] = Field("local", description="where the policy samples")
    vllm_url: Annotated[list[str], BeforeValidator(_urls)] = Field(
        ["http://127.0.0.1:8000/v1"], min_length=1, description="with engine = vllm: one URL, or a list of them"
    )
    vllm_api_key: str = Field("", repr=False, description="of the vLLM endpoints, where they want one")
    vllm_timeout: float = Field(600.0, gt=0, description="seconds without a byte from a vLLM endpoint")
    chat: ChatSettings | None = Field(None, description="with engine = chat: the endpoint that plays the policy")
    routing: RouterSettings = Field(RouterSettings(), description="retries and limits of engines behind HTTP")
    embedder: str = Field(
        "auto", description="auto, none, minilm, endpoint:MODEL, or a sentence-transformers name or folder"
    )
    embedding: EmbeddingSettings = Field(EmbeddingSettings(), description="how embedders compute, and what they add")
    index: Literal["embedded", "weaviate"] = Field("embedded", description="where corpora are indexed when ingested")
    weaviate: WeaviateSettings | None = Field(None, description="with index = weaviate: the server")
    device: str = Field("cpu", description="torch device of the local engine")
    engine_processes: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto",
        description="in which the local engine samples, beside the agents; 0: in theirs; "
        "auto: 2 where many rollouts of a small policy share a CPU of several cores, else 1",
    )
    concurrency: int = Field(384, ge=1, description="rollouts under way at once")
    graph_path: list[Path] = Field(default_factory=list, description="folders whose graphs shadow the built-in ones")
    prompt_path: list[Path] = Field(default_factory=list, description="folders whose prompts shadow the built-in ones")
    judge: JudgeSettings | None = Field(None, description="endpoint of LLM judges; without it the judges are rules")
    telemetry: TelemetrySettings | None = Field(None, description="OTLP collector that rollouts are traced to")

    @model_validator(mode="after")
    def _engine_has_its_table(self) -> Settings:
        if self.engine == "chat" and self.chat is None:
            raise ValueError("engine 'chat' needs a table [chat] with base_url and model")
        return self

    @property
    def servers(self) -> SearchServers:
        return SearchServers(embedding=self.embedding, weaviate=self.weaviate)

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'karl.db'}"


class _Sources(NamedTuple):
    """Where values may come from; the last that names a key has its say, and the blame."""

    file: Path
    variables: dict[str, Any]
    given: dict[str, Any]

    def of(self, name: str) -> str:
        if name in self.given:
            return "settings"  # the argument of whoever called
        return ENVIRONMENT_PREFIX + name.upper() if name in self.variables else str(self.file)


def load_settings(folder: Path | None = None, /, **overrides: Any) -> Settings:
    """Read `karl.toml` of `folder` (default: here), then KARL_* variables, then `overrides`.

    Raises: UsageError that names the file, variable or argument, the key and the closest known one.
    """
    path = (folder or Path.cwd()) / SETTINGS_FILE
    values = _read(path) if path.is_file() else {}
    given = {name: value for name, value in overrides.items() if value is not None}
    sources = _Sources(path, _variables(), given)
    try:
        settings = Settings.model_validate({**values, **sources.variables, **given})
    except ValidationError as exc:
        raise UsageError("\n".join(_problem(error, sources) for error in exc.errors())) from exc
    _check_folders(settings, sources)
    # Absolute: checkpoint rows hold paths under it, and are read from other working directories.
    return settings.model_copy(update={"home": _absolute(settings.home)})


def _check_folders(settings: Settings, sources: _Sources) -> None:
    """Raises: UsageError for a folder that is not there: the built-in graphs and prompts would run in its place."""
    for name in sorted(LISTS):
        for place in getattr(settings, name):
            if not place.is_dir():
                message = f"no folder '{place}' in {Path.cwd()}; make it (`karl init` does), or take it out"
                raise UsageError(f"{sources.of(name)}: key '{name}': {message}")


def _absolute(home: Path) -> Path:
    try:
        return home.expanduser().resolve()
    except (OSError, RuntimeError) as exc:  # an unknown ~user, a loop of links
        raise UsageError(
            f"home {str(home)!r}: {exc}; give a data folder with --home, KARL_HOME or in karl.toml"
        ) from exc


def _variables() -> dict[str, Any]:
    """Setting -> value, for every KARL_* variable that is set and not empty. Raises: UsageError that names it."""
    found = {name: os.environ.get(ENVIRONMENT_PREFIX + name.upper(), "") for name in Settings.model_fields}
    return {name: _variable(name, text) for name, text in found.items() if text}


def _variable(name: str, text: str) -> Any:
    if name in LISTS:
        return [part for part in text.split(os.pathsep) if part]
    if name not in TABLES:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        variable = ENVIRONMENT_PREFIX + name.upper()
        raise UsageError(f"{variable}: not valid JSON: {exc}; write such as {EXAMPLES[name]}") from exc


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(f"{path}: not valid TOML: {exc}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc


def _problem(error: Any, sources: _Sources) -> str:
    location = [str(part) for part in error["loc"]]
    if not location:  # about several keys, of which `engine` asks for the others
        return f"{sources.of('engine')}: {error['msg'].removeprefix('Value error, ')}"
    key = ".".join(location)
    where = sources.of(location[0])
    if error["type"] == "extra_forbidden":
        table = TABLES.get(location[0]) if len(location) > 1 else None
        known = (table or Settings).model_fields
        close = get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
        return f"{where}: unknown key {key!r}; {hint}"
    # A table may hold an API key, and a key of that name is one: neither is repeated on a screen or in a log.
    secret = isinstance(error["input"], dict) or key.endswith("api_key") or ".headers" in key
    return f"{where}: key {key!r}: {error['msg']}" + ("" if secret else f", got {error['input']!r}")

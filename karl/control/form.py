"""What is filled in to start a run: a text for every setting of a run, from there to its settings and its command.

Texts are what a user types: `[]` or `none` for a list without items, commas between items, nothing for the default.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from karl.run_config import RunConfig
from karl.settings import Settings, load_settings
from karl.tiny import POLICY_FOLDER
from store.errors import KarlError, UsageError

# The demo's companies are made by its own command: it decides these.
DEMO_DECIDES = ("corpus", "questions", "question_corpus")
FIRST = (
    *("corpus", "tasks", "base", "recipe", "algorithm", "iterations", "questions"),
    *("generator_runs", "max_tasks", "group_size", "held_out", "eval_samples", "seed"),
)
OPTIONS = {"corpus": "corpus", "iterations": "iterations", "questions": "questions", "base": "base", "seed": "seed"} | {
    "question_corpus": "question-corpus",
    "recipe": "recipe",
}
NO_ITEMS = "none"
HELP = {
    "corpus": "what the run is about: documents that `karl ingest` has read",
    "iterations": "rounds of questions, rollouts, training, evaluation",
    "seed": "of every draw of the run",
}


@dataclass(frozen=True, slots=True)
class FormField:
    """default: the text that stands for it; choices: all there are, where a setting is one of few; "": of free text."""

    name: str
    label: str
    help: str
    default: str
    choices: tuple[str, ...] = ()
    advanced: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """What is filled in: texts by setting, and whether it is the demo. name: of the run; "": the next free one.

    engine, vllm_url: where the policy samples; "": as the project's settings say.
    """

    texts: Mapping[str, str]
    demo: bool = False
    name: str = ""
    engine: str = ""
    vllm_url: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """config None: there are problems. problems: setting -> message; "" for what is wrong with several together."""

    config: RunConfig | None
    problems: Mapping[str, str]


def fields() -> tuple[FormField, ...]:
    """Of every setting of a run: those that most runs are about first, then the others as they stand."""
    advanced = [name for name in RunConfig.model_fields if name not in FIRST]
    return tuple(_field(name, RunConfig.model_fields[name]) for name in (*FIRST, *advanced))


def texts_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Of the stored settings of a run; what a run of today does not have is left out, as defaults are."""
    texts = {name: as_text(settings[name]) for name in RunConfig.model_fields if name in settings}
    # No text is the default: a list without items is another where the default has some.
    # The embedded policy is another folder on every machine, and no text here.
    if texts.get("base") == str(POLICY_FOLDER):
        del texts["base"]
    return {name: text or NO_ITEMS for name, text in texts.items() if text != _default(name)}


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        items = [str(item) for item in value]
        return json.dumps(items) if any("," in item or item.startswith("[") for item in items) else ", ".join(items)
    return str(value)


def environment(draft: Draft) -> dict[str, str]:
    """Variables that lay what the draft says of the engine over the project's settings."""
    given = {"KARL_ENGINE": draft.engine, "KARL_VLLM_URL": draft.vllm_url}
    return {name: text.strip() for name, text in given.items() if text.strip()}


def settings_for(draft: Draft, settings: Settings) -> Settings:
    """Raises: UsageError for an engine that cannot be, such as a chat endpoint that nothing names."""
    told = {"engine": draft.engine or settings.engine, "vllm_url": draft.vllm_url.strip() or settings.vllm_url}
    try:
        return Settings.model_validate({**settings.model_dump(), **told})
    except ValidationError as exc:
        raise UsageError(exc.errors()[0]["msg"].removeprefix("Value error, ")) from exc


def parse(draft: Draft) -> Parsed:
    """Problems of single settings, and of what stands in several."""
    try:
        return Parsed(RunConfig.model_validate(_values(draft)), {})
    except ValidationError as exc:
        found: dict[str, str] = {}
        for error in exc.errors():
            name = str(error["loc"][0]) if error["loc"] else ""
            found.setdefault(name, error["msg"].removeprefix("Value error, ").partition(", unable to parse")[0])
        if "corpus" in found:
            found["corpus"] = "choose a corpus; `karl ingest FOLDER --name NAME` makes one"
        return Parsed(None, found)


def arguments(draft: Draft, config: RunConfig) -> list[str]:
    """Of `karl`, without those that only say the default."""
    if draft.demo:
        return ["demo", *_changed(config, options={"iterations": "iterations", "seed": "seed"}, without=DEMO_DECIDES)]
    named = ["--name", draft.name] if draft.name else []
    return ["run", *_changed(config, options=OPTIONS), *named]


def shown_command(draft: Draft, config: RunConfig, settings: Settings) -> str:
    """What to type in this folder for the same run."""
    variables = [f"{name}={shlex.quote(text)}" for name, text in environment(draft).items()]
    return " ".join([*variables, shlex.join(["karl", *_home(settings), *arguments(draft, config)])])


def _field(name: str, field: FieldInfo) -> FormField:
    # A choice of texts is a Literal, whose arguments are the choices; yes and no are one, too.
    literal = getattr(field.annotation, "__args__", ()) if "Literal" in str(field.annotation) else ()
    choices = ("true", "false") if field.annotation is bool else tuple(map(str, literal))
    return FormField(
        name=name,
        label=name.replace("_", " "),
        help=field.description or HELP[name],
        default=_default(name),
        choices=choices,
        advanced=name not in FIRST,
    )


def _default(name: str) -> str:
    field = RunConfig.model_fields[name]
    return "" if field.is_required() or field.default == POLICY_FOLDER else as_text(field.default)


def _values(draft: Draft) -> dict[str, Any]:
    texts = {name: text.strip() for name, text in draft.texts.items() if name in RunConfig.model_fields}
    if draft.demo:
        seed = texts.get("seed") or "0"
        # The names that `karl demo` gives them: settings of a run need some.
        made = {"corpus": f"demo-train-{seed}", "question_corpus": f"demo-test-{seed}"}
        texts = {name: text for name, text in texts.items() if name not in DEMO_DECIDES} | made
    return {name: _value(name, text) for name, text in texts.items() if text}


def _value(name: str, text: str) -> Any:
    if get_origin(RunConfig.model_fields[name].annotation) is not tuple:
        return text
    if text.lower() == NO_ITEMS:
        return []
    if text.startswith("["):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            pass  # an expression may begin with a bracket, too
    return [part.strip() for part in text.split(",") if part.strip()]


def _changed(config: RunConfig, *, options: Mapping[str, str], without: Iterable[str] = ()) -> list[str]:
    stored, told = config.stored(), list[str]()
    defaults = RunConfig.model_validate({"corpus": ""}).stored()
    for name in RunConfig.model_fields:
        if name in without or stored[name] == defaults[name]:
            continue
        if name in options:
            told += [f"--{options[name]}", str(stored[name])]
        elif name == "tasks" and options is OPTIONS:
            told += [part for task in config.tasks for part in ("--task", task)]
        else:
            told += ["--set", f"{name}={_set(stored[name])}"]
    return told


def _set(value: Any) -> str:
    """As `--set` reads it: JSON, and what is none as it is."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except json.JSONDecodeError:
        return value
    return json.dumps(value)


def _home(settings: Settings) -> list[str]:
    try:
        usual = load_settings().home
    except KarlError:
        usual = None
    return [] if usual == settings.home else ["--home", _short(settings.home)]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

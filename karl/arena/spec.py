"""How a system is named: `CHECKPOINT[:graph=NAME][:temperature=T]...`, and what is wrong with a name."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from prompts.closed_yaml import closest
from store.errors import UsageError

EMBEDDED, CHAT = "embedded", "chat"
FORM = "CHECKPOINT[:graph=NAME][:temperature=T][:attempts=N][:task=NAME][:value=FOLDER], or chat[:model=NAME]..."
# A colon parts only before `key=`: model names and folders may hold colons.
PARTS = re.compile(r":(?=[A-Za-z_]+=)")


class SystemSpec(BaseModel, frozen=True, extra="forbid"):
    """One system as it is asked for."""

    checkpoint: str = Field(min_length=1, description="a checkpoint's name, a policy folder, `embedded`, or `chat`")
    graph: str = Field("solver", min_length=1, description="a graph's name, or a YAML file")
    temperature: float | None = Field(None, ge=0, allow_inf_nan=False, description="None: as `karl ask` chooses it")
    attempts: int | None = Field(None, ge=1, description="of a graph that makes several")
    task: str | None = Field(None, min_length=1, description="the graph's overrides for a task")
    value: Path | None = Field(None, description="a value model's folder, to guide a search by")
    model: str | None = Field(None, min_length=1, description="of the chat endpoint, in place of [chat] model")

    @property
    def text(self) -> str:
        """What `parse_system` makes this of."""
        said = ((name, getattr(self, name)) for name in SETTINGS)
        given = (f":{name}={value}" for name, value in said if value != type(self).model_fields[name].default)
        return self.checkpoint + "".join(given)


SETTINGS = tuple(name for name in SystemSpec.model_fields if name != "checkpoint")


def parse_system(text: str) -> SystemSpec:
    """Raises: UsageError that names the system, the part and the mend."""
    checkpoint, *parts = PARTS.split(text.strip())
    given: dict[str, str] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in SETTINGS:
            raise wrong(text, f"unknown key {key!r}; known keys: {', '.join(SETTINGS)}{closest(key, SETTINGS)}")
        if key in given:
            raise wrong(text, f"key {key!r} is there twice; leave one out")
        given[key] = value
    if "model" in given and checkpoint != CHAT:
        raise wrong(text, f"key 'model' chooses among a chat endpoint's models; write {CHAT}:model={given['model']}")
    try:
        return SystemSpec.model_validate({"checkpoint": checkpoint, **given})
    except ValidationError as exc:
        error = exc.errors()[0]
        raise wrong(
            text, f"key {error['loc'][0]!r}: {error['msg']}, got {error['input']!r}; the form is {FORM}"
        ) from exc


def wrong(text: str, message: object) -> UsageError:
    return UsageError(f"system {text!r}: {message}")

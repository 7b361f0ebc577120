"""Prompts are files: Markdown with YAML front matter and a sandboxed, strict Jinja2 body. `load_prompt` reads one.

`tiny/solver.md` is the variant "tiny" of `solver.md`. Folders of a search path shadow the built-in prompts by name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, Field

from prompts.closed_yaml import YamlDocument, closest
from prompts.output import CallFormatName, OutputSpec, Parsed, ParseFailure
from prompts.parsers import parse
from prompts.yaml_text import read_text, read_yaml
from store.errors import UsageError, first_of

BUILT_IN = Path(__file__).parent
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list, tuple),
}
# Prompts are plain text for a model, not HTML.
_JINJA = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)
_FRONT = re.compile(r"\A---\n(.*?)^---\n?", re.DOTALL | re.MULTILINE)


class PromptVariable(BaseModel, frozen=True, extra="forbid"):
    type: Literal["string", "integer", "number", "boolean", "list"]
    description: str = ""


class FrontMatter(BaseModel, frozen=True, extra="forbid"):
    """The head of a prompt file."""

    description: str
    version: int = Field(default=1, ge=1)
    variables: dict[str, PromptVariable] = Field(default_factory=dict)
    output: OutputSpec = OutputSpec()
    notes: str = ""


@dataclass(frozen=True)
class Prompt:
    """One prompt file, read and compiled. `sha256` covers front matter and body; `text` is the body."""

    name: str
    variant: str
    path: Path
    text: str
    sha256: str
    front: FrontMatter
    template: Template = field(repr=False, compare=False)

    @property
    def variables(self) -> dict[str, PromptVariable]:
        return self.front.variables

    @property
    def output(self) -> OutputSpec:
        return self.front.output

    def render(self, **values: Any) -> str:
        """The body with its variables filled in, without leading or trailing newlines.

        Raises: UsageError when a variable is missing, unknown, or of another type than declared.
        """
        if values.keys() != self.variables.keys():
            raise self._wrong_names(values)
        for name, value in values.items():
            if not isinstance(value, _TYPES[self.variables[name].type]):
                kind = self.variables[name].type
                raise UsageError(f"{self.path}: variable '{name}': expected {kind}, got {type(value).__name__}")
        try:
            return self.template.render(values).strip("\n")
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as exc:
            raise UsageError(f"{self.path}: can't be rendered: {exc}") from exc

    def parse(self, text: str, *, calls: CallFormatName | Literal["auto"] = "auto") -> Parsed | ParseFailure:
        """What a turn sampled under this prompt asks for; `calls`: the format that the prompt's `calls: auto` means."""
        return parse(text, self.output, calls=calls)

    def _wrong_names(self, values: dict[str, Any]) -> UsageError:
        unknown, missing = values.keys() - self.variables.keys(), self.variables.keys() - values.keys()
        name = sorted(unknown or missing)[0]
        known = ", ".join(sorted(self.variables)) or "none"
        problem = "unknown variable" if unknown else "no value for the variable"
        hint = closest(name, self.variables) if unknown else ""
        return UsageError(f"{self.path}: {problem} '{name}'; this prompt declares: {known}{hint}")


def load_prompt(name: str, *, variant: str = "", path: Sequence[Path] = ()) -> Prompt:
    """The prompt `name`: its `variant` if any folder has one, else the plain one; `path` before the built-in folder.

    Raises: UsageError for an unknown name, broken front matter, or a body that uses undeclared variables.
    """
    folders = [*path, BUILT_IN]
    for relative in dict.fromkeys((Path(variant, f"{name}.md"), Path(f"{name}.md"))):
        for folder in folders:
            if (folder / relative).is_file():
                return read_prompt(folder / relative, name=name, variant=variant if len(relative.parts) > 1 else "")
    known = sorted({file.stem for folder in folders for file in folder.glob("*.md")})
    looked = ", ".join(map(str, folders))
    raise UsageError(f"no prompt named '{name}' in {looked}; there are: {', '.join(known)}{closest(name, known)}")


def read_prompt(path: Path, *, name: str, variant: str = "") -> Prompt:
    """Read and check one file. Raises: UsageError naming file, line and key."""
    raw = read_text(path)
    head = _FRONT.match(raw)
    if head is None:
        raise _without_front(path, raw)
    document = read_yaml(head[1], source=str(path), first_line=2)
    front = document.validate(FrontMatter)
    body = raw[head.end() :].strip("\n")
    first_line = raw[: head.end()].count("\n") + 1
    template = _compile(body, path=path, first_line=first_line)
    _check_reach(body, path=path, first_line=first_line)
    _check_variables(body, front, document)
    return Prompt(name, variant, path, body, hashlib.sha256(raw.encode()).hexdigest(), front, template)


def _without_front(path: Path, raw: str) -> UsageError:
    if raw.startswith("---\n"):
        return UsageError(f"{path}:1: the front matter that begins here has no end; put a line '---' under it")
    if raw.lstrip().startswith("---"):
        return UsageError(f"{path}:1: the first line has to be '---' alone, with nothing before or behind it")
    return UsageError(f"{path}:1: a prompt begins with front matter between two lines '---'; none was found")


def _compile(body: str, *, path: Path, first_line: int) -> Template:
    try:
        return _JINJA.from_string(body)
    except TemplateSyntaxError as exc:
        raise UsageError(f"{path}:{first_line + exc.lineno - 1}: template: {exc.message}") from exc


def _check_reach(body: str, *, path: Path, first_line: int) -> None:
    """What the sandbox, or a prompt without a folder of templates, would refuse only when it is rendered."""
    for found in _JINJA.parse(body).find_all((nodes.Getattr, nodes.Include, nodes.Import, nodes.Extends)):
        problem = "a prompt stands alone; write out what you include"
        if isinstance(found, nodes.Getattr):
            problem = f"'.{found.attr}' is out of reach; name public fields only" if found.attr[:1] == "_" else ""
        if problem:
            raise UsageError(f"{path}:{first_line + found.lineno - 1}: template: {problem}")


def _check_variables(body: str, front: FrontMatter, document: YamlDocument) -> None:
    """Raises: UsageError for the first name that is used or declared alone; it knows the others."""
    used, declared = meta.find_undeclared_variables(_JINJA.parse(body)), set(front.variables)
    path = Path(document.source)
    problems = [_no_name(document, name) for name in sorted(declared) if not name.isidentifier()]
    problems = problems or [
        UsageError(
            f"{path}:{_line_of(path, name)}: the body uses '{name}', which key 'variables' does not declare"
            f"{closest(name, declared)}"
        )
        for name in sorted(used - declared)
    ]
    for name in sorted(declared - used if not problems else ()):
        problems.append(document.error(("variables", name), "declared, but the body never uses it"))
    if problems:
        raise first_of(problems)


def _no_name(document: YamlDocument, name: str) -> UsageError:
    mend = re.sub(r"\W", "_", name)
    return document.error(("variables", name), f"a variable's name is letters, digits and _; call it '{mend}'")


def _line_of(path: Path, word: str) -> int:
    lines = read_text(path).splitlines()
    hits = [number for number, line in enumerate(lines, 1) if re.search(rf"\b{re.escape(word)}\b", line)]
    return hits[-1] if hits else 1


__all__ = ["BUILT_IN", "FrontMatter", "Prompt", "PromptVariable", "load_prompt", "read_prompt"]

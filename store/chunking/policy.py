"""How documents become chunks, declared: by what they are cut, how long a chunk is, how much neighbours share."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from store.chunking.tokens import tokenizer_sha256
from store.errors import UsageError

By = Literal["headings", "pages", "first_tokens", "given", "sentence_windows", "abstracts"]
Duplicates = Literal["keep", "skip"]
BUILT_IN = Path(__file__).parent / "policies"
SIZED = {"first_tokens": "tokens", "sentence_windows": "words", "given": "tokens", "headings": "characters"}
OVERLAPPING = ("sentence_windows", "headings")


class Chunking(BaseModel, frozen=True, extra="forbid"):
    """One way to cut a document."""

    by: By
    size: int | None = Field(default=None, gt=0)
    """Tokens of `first_tokens`, words of `sentence_windows`, tokens at most of `given` (told, not enforced: given
    chunks are never cut), characters at most of `headings`; the others have none."""
    overlap: int = Field(default=0, ge=0)
    """How much of a chunk the next one repeats: words of `sentence_windows`, characters of `headings`."""

    @model_validator(mode="after")
    def _size_where_it_counts(self) -> Self:
        if self.size is not None and self.by not in SIZED:
            raise ValueError(f"chunking by {self.by} has no size")
        if self.size is None and self.by in ("first_tokens", "sentence_windows"):
            raise ValueError(f"chunking by {self.by} needs a size")
        if self.overlap and self.by not in OVERLAPPING:
            raise ValueError(f"chunks by {self.by} do not overlap; those by {' and '.join(OVERLAPPING)} may")
        if self.size is not None and 2 * self.overlap > self.size:
            raise ValueError(f"an overlap of {self.overlap} is more than half of the size {self.size}")
        return self

    def __str__(self) -> str:
        return {
            "headings": f"by headings, up to {self.size} characters" if self.size else "by headings",
            "pages": "a page",
            "first_tokens": f"first {self.size} tokens of a document",
            "given": f"given chunks, up to {self.size} tokens" if self.size else "given chunks",
            "sentence_windows": f"sentences, about {self.size} words",
            "abstracts": "abstracts as they are",
        }[self.by]


class ChunkingPolicy(BaseModel, frozen=True, extra="forbid"):
    """What a corpus is cut by. Formats with pages and all others have a rule each, a format may have its own."""

    paged: Chunking = Chunking(by="pages")
    """PDFs and slides."""
    text: Chunking = Chunking(by="headings")
    """All else; by headings it is up to `max_chars` characters where it names no size."""
    formats: dict[str, Chunking] = Field(default_factory=dict)
    """By kind of document: pdf, markdown, text, html, csv, jsonl, code, docx, xlsx, pptx."""
    tokenizer: str = ""
    """A `tokenizer.json`, or a folder with one, that counts tokens; without one they are estimated."""
    duplicates: Duplicates = "keep"
    """Documents with the words of another one: reported either way; `skip` leaves them out."""

    def of(self, kind: str, *, paged: bool) -> Chunking:
        return self.formats.get(kind, self.paged if paged else self.text)

    @property
    def stamp(self) -> str:
        """Of all that decides what the chunks are; "" for the default."""
        values = self.model_dump(exclude_defaults=True, exclude={"duplicates"})
        if self.tokenizer:
            values["tokenizer"] = tokenizer_sha256(self.tokenizer) or self.tokenizer
        return json.dumps(values, sort_keys=True) if values else ""


def built_in() -> list[str]:
    """Names of the policies that come with the package."""
    return sorted(path.stem for path in BUILT_IN.glob("*.yaml"))


def load_policy(name: str) -> ChunkingPolicy:
    """A built-in policy by name, or a YAML file. Raises: UsageError naming the file and what is wrong with it."""
    path = BUILT_IN / f"{name}.yaml"
    if "/" in name or not path.is_file():
        path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(
            f"chunking {name!r}: no such file, and no policy of that name; there are: {', '.join(built_in())}"
        )
    return _parsed(path)


@cache
def task_chunking(name: str) -> Chunking:
    """The one rule of a built-in policy that has only one, as those of the benchmark's table do."""
    return load_policy(name).text


def _parsed(path: Path) -> ChunkingPolicy:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _resolved(ChunkingPolicy.model_validate(_spread(values)), path)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {key or 'file'}: {first['msg']}") from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise UsageError(f"{path}: cannot read the chunking: {str(exc).splitlines()[0]}") from exc
    except ValueError as exc:  # a day that no month has
        raise UsageError(f"{path}: cannot read the chunking: {exc}") from exc


def _resolved(policy: ChunkingPolicy, path: Path) -> ChunkingPolicy:
    """A tokenizer is named from the file's own folder, or this one, and then found from any. Raises: UsageError."""
    from store.readers.registry import READERS

    kinds = sorted({reader.kind for reader in READERS.values()})
    if unknown := sorted(policy.formats.keys() - set(kinds)):
        raise UsageError(f"{path}: formats.{unknown[0]}: no such kind of document; there are: {', '.join(kinds)}")
    given = Path(policy.tokenizer).expanduser()
    there = [found for folder in (path.parent, Path()) if policy.tokenizer and (found := folder / given).exists()]
    return policy.model_copy(update={"tokenizer": str(there[0].resolve())}) if there else policy


def _spread(values: object) -> object:
    """`by`, `size` and `overlap` at the top are the rule of every format that has none of its own."""
    if not isinstance(values, dict) or "by" not in values:
        return {} if values is None else values
    rule = {key: values[key] for key in ("by", "size", "overlap") if key in values}
    rest = {key: value for key, value in values.items() if key not in rule}
    return {"paged": rule, "text": rule, **rest}

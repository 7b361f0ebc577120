"""The form for a run: what is launched, where the policy samples, and every setting of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Collapsible

from karl.control.form import DEMO_DECIDES, Draft, FormField, fields
from karl.control.offers import Offer, Offers
from karl.control.place import Settings
from tui.widgets.field_row import FieldRow

DEMO = "\0demo"  # no corpus has this name
DEMO_OFFER = Offer("the demo: two generated companies", DEMO)
EMPTY = {
    "corpus": "choose one",
    "name": "the corpus's name and the next free number",
    "base": "the embedded policy",
    "tasks": "none in particular",
    "questions": "synthesised, and set aside",
    "question_corpus": "the same corpus",
    "train_steps": "as the recipe says",
    "leave_out": "none",
}
OFFERED = ("base", "tasks", "recipe", "sft_recipe", "question_corpus")
NAME = FormField("name", "name", "of the run: letters, digits, dots, dashes, underscores", "")
ENGINE_HELP = "where the policy samples: here, at vLLM endpoints, or a chat endpoint of karl.toml plays it"


class LaunchForm(VerticalScroll):
    """`draft` is what is filled in; `fill` puts another in its place."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(id="form", can_focus=False)
        self._rows = {field.name: _row(field) for field in _fields(settings)}

    def compose(self) -> ComposeResult:
        yield from (row for row in self._rows.values() if not row.field.advanced)
        advanced = [row for row in self._rows.values() if row.field.advanced]
        yield Collapsible(*advanced, title=f"advanced: {len(advanced)} more settings")

    def on_mount(self) -> None:
        self.border_title = "a run"
        self.follow()

    @property
    def draft(self) -> Draft:
        texts = {name: row.text for name, row in self._rows.items()}
        name, engine, url = (texts.pop(key) for key in ("name", "engine", "vllm_url"))
        demo = texts["corpus"] == DEMO
        return Draft(texts, demo=demo, name="" if demo else name, engine=engine, vllm_url=url)

    def fill(self, texts: Mapping[str, str]) -> None:
        """Settings that are not named get their defaults."""
        for name, row in self._rows.items():
            row.fill(texts.get(name, ""))

    def begin(self) -> None:
        """To the first field."""
        self._rows["corpus"].take()

    def offer(self, offers: Offers) -> None:
        known = offers.by_setting
        corpora = [*known.get("corpus", ()), DEMO_OFFER]
        self._rows["corpus"].offer(corpora, empty=EMPTY["corpus"])
        for name in OFFERED:
            default = self._rows[name].field.default
            rest = [offer for offer in known.get(name, ()) if offer.text != default]
            self._rows[name].offer(rest, empty=EMPTY.get(name, default))

    def complain(self, problems: Mapping[str, str]) -> None:
        for name, row in self._rows.items():
            row.complain(problems.get(name, ""))
        if any(self._rows[name].field.advanced for name in problems if name in self._rows):
            self.query_one(Collapsible).collapsed = False

    def follow(self) -> None:
        """Hide what has no meaning: the demo decides some settings itself, and other engines have no endpoints."""
        demo = self.draft.demo
        for name in ("name", *DEMO_DECIDES[1:]):
            self._rows[name].display = not demo
        self._rows["vllm_url"].display = (self._rows["engine"].text or self._rows["engine"].field.default) == "vllm"

    def help_of(self, name: str) -> str:
        field = self._rows[name].field
        default = f" (default: {field.default})" if field.default else ""
        return f"{field.label}: {field.help}{default}"


def _fields(settings: Settings) -> Iterator[FormField]:
    """In the order of the screen: of what, by whom, where, how much."""
    for field in fields():
        yield field
        if field.name == "corpus":
            yield NAME
        elif field.name == "base":
            yield from _engine_fields(settings)


def _engine_fields(settings: Settings) -> Iterator[FormField]:
    choices = ("local", "vllm", *(["chat"] if settings.chat else []))
    yield FormField("engine", "engine", ENGINE_HELP, settings.engine, choices)
    urls = ", ".join(settings.vllm_url)
    yield FormField("vllm_url", "vLLM endpoints", "with engine vllm: URLs, with commas between them", urls)


def _row(field: FormField) -> FieldRow:
    offered = [DEMO_OFFER] if field.name == "corpus" else [] if field.name in OFFERED else None
    return FieldRow(field, offered=offered, empty=EMPTY.get(field.name, field.default))

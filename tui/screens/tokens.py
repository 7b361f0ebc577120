"""The tokens of a rollout, a page of a segment at a time: what was trained on, and how likely it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.reading.tokens import PAGE, TokenPage, TokenReader
from tui.screens.base import RoomScreen
from tui.widgets.token_text import LEGEND, LEVELS, token_content

NONE = "This rollout has no tokens: its engine does not tell them, or it sampled nothing."


class TokensScreen(RoomScreen):
    ROOM = "traces"
    CSS_PATH = "tokens.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", key_display="esc"),
        Binding("n", "page(1)", "Page", tooltip="the next page of this segment"),
        Binding("p", "page(-1)", "Page before", show=False),
        Binding("right_square_bracket", "segment(1)", "Segment", key_display="]", tooltip="the next segment"),
        Binding("left_square_bracket", "segment(-1)", "Segment before", key_display="[", show=False),
        Binding("l", "levels", "Levels", tooltip="a digit behind each sampled token: 9 is likely, 0 is not"),
        Binding("i", "ids", "Ids", tooltip="ids in place of texts"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy the texts of this page"),
    ]

    def __init__(self, rollout_id: int) -> None:
        super().__init__()
        self._rollout_id = rollout_id
        self._reader: TokenReader | None = None
        self._page: TokenPage | None = None
        self._wanted: tuple[int, int] | None = (0, 0)  # segment, first token
        self._levels = self._ids = False

    def compose_room(self) -> ComposeResult:
        with VerticalScroll(id="tokens"):
            yield Static(id="text", markup=False)
        yield Static(LEGEND, id="legend", markup=False)

    def on_mount(self) -> None:
        self.query_one("#tokens").focus()

    def come_back(self) -> None:
        """What is shown does not change: it is read once."""
        if self.desk.filter is not None or self.desk.rollout_id is not None:
            self.dismiss()
        self.read()

    def reading(self, *, afresh: bool) -> Callable[[], Any] | None:
        if self._wanted is None:
            return None
        self._reader = self._reader or TokenReader(self.desk.store, self._rollout_id)
        (chosen, start), self._wanted = self._wanted, None
        return partial(self._reader.read, chosen, start)

    def show(self, view: TokenPage | None) -> str:
        self._page = view
        self._draw()
        self.query_one("#tokens").scroll_home(animate=False)
        return f"rollout {self._rollout_id}: no tokens" if view is None else self._told(view)

    def _told(self, page: TokenPage) -> str:
        head = page.head
        kind = "compression" if head.compression else "turns"
        by = f"by {page.folder}" if page.folder else "no tokenizer found: ids"
        last = page.start + len(page.ids)
        return (
            f"rollout {self._rollout_id}, segment {page.chosen + 1} of {len(page.heads)} ({kind}): tokens "
            f"{page.start + 1:,} to {last:,} of {head.tokens:,}, {head.trained:,} trained on  {by}"
        )

    def _draw(self) -> None:
        text = self.query_one("#text", Static)
        if self._page is None:
            text.update(NONE)
        else:
            text.update(token_content(self._page, levels=self._levels, ids=self._ids))

    def action_page(self, by: int) -> None:
        page = self._page
        if page is not None and (page.more if by > 0 else page.start > 0):
            self._go(page.chosen, page.start + by * PAGE)

    def action_segment(self, by: int) -> None:
        if self._page is not None and 0 <= self._page.chosen + by < len(self._page.heads):
            self._go(self._page.chosen + by, 0)

    def _go(self, chosen: int, start: int) -> None:
        self._wanted = (chosen, start)
        self.read()

    def action_levels(self) -> None:
        self._levels = not self._levels
        self.query_one("#legend", Static).update(LEVELS if self._levels else LEGEND)
        self._draw()

    def action_ids(self) -> None:
        self._ids = not self._ids
        self._draw()

    def action_copy(self) -> None:
        if self._page is not None:
            parts = self._page.texts if self._page.texts is not None else [f"{one} " for one in self._page.ids]
            self.app.copy_to_clipboard("".join(parts))
            self.say(f"copied the texts of {len(parts):,} tokens")

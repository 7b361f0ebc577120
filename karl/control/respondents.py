"""Whom one can ask about what: corpora, checkpoints, ways to answer, and what has been chosen of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from karl.arena.spec import CHAT, EMBEDDED, SystemSpec
from karl.settings import Settings
from store import queries
from store.session import Session, Store
from store.value_record import VALUE_FILE

DEPTH = 4  # folders below home in which a value model is looked for
NO_VALUE = "no value model in {home}; `karl value train` makes one: give it --out {home}/values/NAME"


class Way(StrEnum):
    """How a checkpoint answers. Values are the names of graphs."""

    SINGLE = "solver"
    ATTEMPTS = "aggregator"
    GUIDED = "value_guided_search"


@dataclass(frozen=True, slots=True)
class Respondents:
    """corpora: the newest first. checkpoints: the newest first, then `embedded`, and `chat` where it is set.

    best: by corpus, the checkpoint that `karl ask` would take. no_value: why there are no `values`, or "".
    """

    corpora: tuple[str, ...]
    checkpoints: tuple[str, ...]
    best: dict[str, str]
    values: tuple[Path, ...]
    no_value: str


@dataclass(frozen=True, slots=True)
class Player:
    checkpoint: str
    way: Way = Way.SINGLE


@dataclass(frozen=True, slots=True)
class Setup:
    """Who is asked about what: one player, or two side by side. attempts: of players that make several."""

    corpus: str
    players: tuple[Player, ...]
    attempts: int = 3
    value: Path | None = None
    blind: bool = False

    @property
    def systems(self) -> tuple[str, ...]:
        """The players as the arena names them."""
        return tuple(self._spec(player).text for player in self.players)

    @property
    def models(self) -> frozenset[str]:
        """What has to be in memory: players that share it answer without loading anything."""
        guided = any(player.way is Way.GUIDED for player in self.players)
        return frozenset(player.checkpoint for player in self.players) | ({str(self.value)} if guided else set())

    @property
    def line(self) -> str:
        players = " against ".join(self.title(player) for player in self.players)
        return f"{self.corpus}: {players}{', blind' if self.blind and len(self.players) > 1 else ''}"

    def title(self, player: Player) -> str:
        match player.way:
            case Way.SINGLE:
                return player.checkpoint
            case Way.ATTEMPTS:
                return f"{player.checkpoint}, {self.attempts} attempts"
            case Way.GUIDED:
                return f"{player.checkpoint}, {self.attempts} guided searches"

    def _spec(self, player: Player) -> SystemSpec:
        return SystemSpec(
            checkpoint=player.checkpoint,
            graph=player.way.value,
            temperature=None,
            attempts=None if player.way is Way.SINGLE else self.attempts,
            task=None,
            value=self.value if player.way is Way.GUIDED else None,
            model=None,
        )


def read_respondents(store: Store, settings: Settings) -> Respondents:
    """Raises: KarlError when the database refuses."""
    with store.session() as session:
        corpora = sorted(queries.corpora(session), key=lambda row: row.id or 0, reverse=True)
        trained = [row.name for row in reversed(queries.checkpoints(session))]
        best = {row.name: _best(session, row.id, settings) for row in corpora}
    chat = [CHAT] if settings.chat is not None else []
    values = tuple(_value_models(settings.home))
    return Respondents(
        corpora=tuple(row.name for row in corpora),
        checkpoints=(*trained, EMBEDDED, *chat),
        best=best,
        values=values,
        no_value="" if values else NO_VALUE.format(home=settings.home),
    )


def first_setup(offers: Respondents) -> Setup | None:
    """What is asked before anything was chosen; None: there is nothing to ask about."""
    if not offers.corpora:
        return None
    corpus = offers.corpora[0]
    return Setup(corpus, (Player(offers.best[corpus]),), value=offers.values[0] if offers.values else None)


def _best(session: Session, corpus_id: int | None, settings: Settings) -> str:
    if settings.engine == "chat":
        return CHAT
    found = queries.newest_checkpoint(session, corpus_id=corpus_id) or queries.newest_checkpoint(session)
    return found.name if found is not None else EMBEDDED


def _value_models(home: Path) -> Iterator[Path]:
    for depth in range(1, DEPTH + 1):
        yield from (file.parent for file in sorted(home.glob(f"{'*/' * depth}{VALUE_FILE}")))

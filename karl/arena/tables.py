"""The scoreboard as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from karl.control.safe_text import clean
from karl.page import roomy


def print_board(board: dict[str, Any], console: Console) -> None:
    page = roomy(console)
    page.print(headline(board), soft_wrap=True, markup=False)
    if board["systems"]:
        page.print(_ratings(board))
    if board["matrix"]:
        page.print(_matrix(board))
    for note in board["notes"]:
        page.print(f"note: {clean(note)}", markup=False, soft_wrap=True)


def headline(board: dict[str, Any]) -> str:
    """How many battles and votes of which kinds."""
    votes = board["votes"]
    where = f" over corpus {board['corpus']}" if board["corpus"] else ""
    return (
        f"{_count(board['battles'], 'battle')}{where}, {_count(votes['total'], 'vote')}: {votes['winner']} for one "
        f"system, {_count(votes['tie'], 'tie')}, {votes['none']} all bad; {board['blind_votes']} blind"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _ratings(board: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, caption=_caption(board), caption_justify="left")
    table.add_column("system", overflow="fold")
    several = len(board["groups"]) > 1
    numbers = ["rating", "95% interval", "votes", "share of wins", "all bad", "no answer", "battles"]
    for name in [*(["group"] if several else []), *numbers]:
        table.add_column(name, justify="right")
    for one in board["systems"]:
        entered = board["entered"][one["system"]]
        group = [str(one["group"] + 1) if one["group"] is not None else ""] if several else []
        no_answer = entered["failed"] + entered["unfinished"]
        counts = [str(one["votes"]), _rate(one["share"])]
        counts += [str(entered["all_bad"]), str(no_answer), str(entered["battles"])]
        table.add_row(Text(clean(one["system"])), *group, *_rating(one), *counts)
    return table


def _caption(board: dict[str, Any]) -> str:
    return (
        f"Bradley-Terry, {board['model']['middle']:g} is the mean of a group, 400 points are odds of ten to one; "
        "a tie is half a win of two"
    )


def _rating(one: dict[str, Any]) -> tuple[str, str]:
    if one["rating"] is None:
        return "", ""
    return f"{one['rating']:.0f}", f"{one['low']:.0f}..{one['high']:.0f}"


def _matrix(board: dict[str, Any]) -> Table:
    names = [one["system"] for one in board["systems"] if one["votes"]]
    table = Table(box=None, pad_edge=False, title="preferred to, wins (votes)", title_justify="left")
    table.add_column("", overflow="fold")
    for number, _ in enumerate(names, 1):
        table.add_column(f"({number})", justify="right")
    for number, name in enumerate(names, 1):
        row = board["matrix"].get(name, {})
        table.add_row(Text(f"({number}) {clean(name)}"), *(_cell(row.get(other)) for other in names))
    return table


def _cell(pair: dict[str, Any] | None) -> str:
    if pair is None or pair["rate"] is None:
        return ""
    return f"{_rate(pair['rate'])} ({pair['wins'] + pair['ties'] + pair['losses']})"


def _rate(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"

"""`karl arena`: the same question to several systems side by side, a vote, a scoreboard, a local page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from karl.commands.common import console, open_store, print_json, settings_of
from store.errors import UsageError

if TYPE_CHECKING:
    from karl.arena.telling import Column
    from karl.settings import Settings
    from store.queries import ArenaRecord
    from store.session import Store

SYSTEM_HELP = (
    "CHECKPOINT[:graph=NAME][:temperature=T][:attempts=N][:task=NAME][:value=FOLDER]. CHECKPOINT: a checkpoint's name, "
    "a policy folder, `embedded`, or `chat[:model=NAME]` for the endpoint of [chat]. Repeatable."
)
LISTED = 20


class ArenaGroup(click.Group):
    """`karl arena "QUESTION" ...` is `karl arena ask "QUESTION" ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["ask", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ArenaGroup, context_settings={"help_option_names": ["-h", "--help"]})
def arena() -> None:
    """Ask several systems the same question, vote, and see who is preferred.

    karl arena "QUESTION" --system A --system B --blind asks; the other commands come after it.
    """


@arena.command()
@click.argument("question")
@click.option("--system", "systems", multiple=True, metavar="SYSTEM", help=SYSTEM_HELP)
@click.option("--corpus", help="Default: the only one there is.")
@click.option("--blind", is_flag=True, help="Hide the names, in a shuffled order, until the vote.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of sampling and order; default: drawn, and kept.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def ask(
    context: click.Context,
    question: str,
    systems: tuple[str, ...],
    corpus: str | None,
    blind: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Ask all systems at once; in a terminal watch them, then vote. Elsewhere `karl arena vote ID` votes later."""
    import asyncio

    from karl.arena.battle import make_battle
    from karl.arena.match import chosen_corpus, play
    from karl.arena.systems import find_systems
    from store import queries

    if not systems:
        raise UsageError(_no_systems(question))
    settings, page = settings_of(context), console()
    with open_store(settings) as store:
        named = chosen_corpus(store, corpus)
        found = find_systems(systems, store=store, settings=settings)
        battle = make_battle(question, found, corpus=named, blind=blind, seed=seed)
        columns = asyncio.run(play(battle, store, console=page, live=page.is_terminal and not as_json))
        with store.session() as session:
            record = queries.arena_battle(session, battle.key)
        if as_json:
            _print_json(record, settings)
        else:
            _print_columns(columns)
            _vote_or_tell(store, record)
    if not any(column.answered for column in record.columns):
        raise click.exceptions.Exit(1)


@arena.command()
@click.argument("battle")
@click.argument("choice")
@click.option("--note", default="", help="Why.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def vote(context: click.Context, battle: str, choice: str, note: str, as_json: bool) -> None:
    """Vote on BATTLE: CHOICE is a letter, tie, or none (all bad). Tells who was who; there is no second vote."""
    from karl.arena.voting import cast_vote

    settings = settings_of(context)
    with open_store(settings) as store:
        record = cast_vote(store, battle, choice, note=note)
    if as_json:
        _print_json(record, settings)
    else:
        _print_names(record)


@arena.command()
@click.argument("battle", required=False)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(context: click.Context, battle: str | None, as_json: bool) -> None:
    """Show a battle's answers and vote; without BATTLE, list the newest."""
    from karl.arena.record import record_columns, record_json
    from store import queries

    settings = settings_of(context)
    with open_store(settings) as store, store.session() as session:
        if battle is None:
            records = queries.arena_battles(session, limit=LISTED)
        else:
            records = [queries.arena_battle(session, battle)]
    if as_json:
        shown = [record_json(record, settings=settings) for record in records]
        print_json(shown if battle is None else shown[0])
    elif battle is None:
        _print_list(records)
    else:
        _print_columns(record_columns(records[0], settings=settings))
        _print_standing(records[0])


@arena.command()
@click.option("--corpus", help="Battles over this corpus alone.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def board(context: click.Context, corpus: str | None, as_json: bool) -> None:
    """Show who is preferred: Bradley-Terry ratings with intervals, and the wins of each over each."""
    from karl.arena.board import board as scoreboard
    from karl.arena.tables import print_board

    with open_store(settings_of(context)) as store:
        found = scoreboard(store, corpus=corpus)
    if as_json:
        print_json(found)
    else:
        print_board(found, console())


@arena.command()
@click.option(
    "--system", "systems", multiple=True, metavar="SYSTEM", help=f"Offered: {SYSTEM_HELP} Default: all checkpoints."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="There is no log-in: keep it local.")
@click.option("--port", default=8770, show_default=True, type=click.IntRange(0, 65535), help="0: any that is free.")
@click.option(
    "--allow-host", "hosts", multiple=True, help="A further name the page is reached by, with --host. Repeatable."
)
@click.pass_context
def serve(context: click.Context, systems: tuple[str, ...], host: str, port: int, hosts: tuple[str, ...]) -> None:
    """Serve a local page: ask, watch the answers side by side, vote blind, see the scoreboard."""
    import asyncio

    from karl.arena.lobby import Lobby
    from karl.arena.ring import Ring
    from karl.arena.server import serve as run
    from karl.arena.systems import find_systems

    def say(text: str) -> None:
        click.echo(text, err=True)

    settings = settings_of(context)
    with open_store(settings) as store:
        if systems:
            find_systems(systems, store=store, settings=settings)
        lobby = Lobby(store, settings, Ring(say=say), offered=[name.strip() for name in systems])
        if not lobby.corpora():
            raise UsageError("no corpus to ask about; run `karl ingest` first")
        asyncio.run(run(lobby, host=host, port=port, hosts=hosts, say=say))


def _no_systems(question: str) -> str:
    from difflib import get_close_matches

    meant = get_close_matches(question, arena.commands, n=1)
    hint = f"; did you mean `karl arena {meant[0]}`?" if meant else ""
    return f"no systems to ask; name two or more with --system, such as --system embedded{hint}"


def _print_columns(columns: list[Column]) -> None:
    from karl.arena.screen import plain_lines, whole_view

    page = console()
    if page.is_terminal:
        page.print(whole_view(columns, page))
    else:
        for line in plain_lines(columns):
            click.echo(line)


def _vote_or_tell(store: Store, record: ArenaRecord) -> None:
    from karl.arena.voting import choices

    if choices(record) and sys.stdin.isatty() and sys.stdout.isatty():
        record = _prompted(store, record)
    _print_standing(record)


def _prompted(store: Store, record: ArenaRecord) -> ArenaRecord:
    """The vote of whoever sits at the terminal; without one (Ctrl-C, Ctrl-D) the record as it was."""
    try:
        return _asked_for(store, record)
    except click.Abort:
        click.echo()
        return record


def _asked_for(store: Store, record: ArenaRecord) -> ArenaRecord:
    from karl.arena.voting import cast_vote, choices

    offered = ", ".join(choices(record))
    while choice := click.prompt(f"vote ({offered}; Enter: later)", default="", show_default=False).strip():
        if choice.lower() not in {name.lower() for name in choices(record)}:
            click.echo(f"{choice!r} can't be voted")
            continue
        note = click.prompt("note (Enter: none)", default="", show_default=False)
        return cast_vote(store, record.battle.key, choice, note=note)
    return record


def _print_standing(record: ArenaRecord) -> None:
    """How it was voted, or how to vote."""
    from karl.arena.voting import choices

    if record.vote is not None:
        _print_names(record)
    elif offered := choices(record):
        click.echo(f"battle {record.battle.key}; to vote: karl arena vote {record.battle.key} {'|'.join(offered)}")
    else:
        click.echo(f"battle {record.battle.key}: nobody answered, there is nothing to vote on")


def _print_names(record: ArenaRecord) -> None:
    from karl.arena.voting import vote_text
    from karl.control.safe_text import clean

    told = "; ".join(f"{column.answer.letter} was {column.system.name}" for column in record.columns)
    note = f" ({record.vote.note})" if record.vote and record.vote.note else ""
    click.echo(clean(f"battle {record.battle.key}: voted {vote_text(record)}{note}; {told}"))


def _print_list(records: list[ArenaRecord]) -> None:
    from karl.arena.voting import vote_text
    from karl.control.safe_text import clean

    for record in records:
        state = f"voted {vote_text(record)}" if record.vote else "no vote yet"
        click.echo(clean(f"{record.battle.key}  {state:<12}  {' '.join(record.battle.question.split())[:100]}"))
    if not records:
        click.echo('no battles yet; karl arena "QUESTION" --system A --system B makes one')


def _print_json(record: ArenaRecord, settings: Settings) -> None:
    from karl.arena.record import record_json

    print_json(record_json(record, settings=settings))

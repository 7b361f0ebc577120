"""Which questions are asked of which corpus: every task loaded and checked before the first rollout."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.corpora.write import corpus_name
from evals.items import EvalItem
from evals.tasks.load import LoadedTask, load_task
from evals.tasks.spec import Metric, TaskSpec
from karl.evaluations.config import CUSTOM, FOGBENCH, EvalConfig
from karl.evaluations.fog import make_fog_corpus
from karl.evaluations.questions import read_items
from karl.evaluations.systems import System
from karl.reporting import Reporter
from karl.settings import Settings
from store import queries
from store.errors import UsageError
from store.session import Store

SHOWN = 3  # of those left out, in a note


@dataclass(frozen=True)
class TaskPlan:
    """`spec` None: one's own questions. `corpus`: its name in the store."""

    name: str
    title: str
    regime: str
    metric: Metric
    spec: TaskSpec | None
    items: tuple[EvalItem, ...]
    corpus: str
    complete: bool
    notes: tuple[str, ...]


def plan_tasks(
    config: EvalConfig, systems: Sequence[System], store: Store, *, settings: Settings, reporter: Reporter
) -> list[TaskPlan]:
    """FogBench is generated and ingested where no data is given.

    Raises: UsageError for missing data or corpora, all of them at once, each with the command to run.
    """
    if config.questions is not None:
        assert config.corpus is not None  # the configuration was checked
        _check_corpora(store, {config.corpus: f"karl ingest PATH --name {config.corpus}"})
        items = read_items(config.questions)
        title, metric = config.questions.name, Metric.NUGGETS
        return [_limited(TaskPlan(CUSTOM, title, "", metric, None, tuple(items), config.corpus, True, ()), config)]
    if not config.tasks:
        raise UsageError(f"--suite {config.suite!r} names no task")
    folders = _folders(config)
    read = {name: load_task(name, folder, split=config.split) for name, folder in folders.items()}
    wanted = {config.corpus or corpus_name(found.spec, found.split): name for name, found in read.items()}
    _check_corpora(store, {corpus: _commands(name, folders[name], config) for corpus, name in wanted.items()})
    plans = {name: _plan(read[name], corpus) for corpus, name in wanted.items()}
    if FOGBENCH in config.tasks and FOGBENCH not in plans:
        made = make_fog_corpus(config, systems, store, settings=settings, reporter=reporter)
        # The published counts are those of the default knobs: what was generated on purpose lacks nothing.
        loaded = replace(load_task(FOGBENCH, made.folder, split=config.split), shortfalls=())
        plans[FOGBENCH] = _plan(loaded, made.corpus, *made.notes)
    return [_limited(plans[name], config) for name in config.tasks]


def _folders(config: EvalConfig) -> dict[str, Path]:
    """Raises: UsageError naming every folder that is missing."""
    wanted = [name for name in config.tasks if name != FOGBENCH or config.data is not None]
    if wanted and config.data is None:
        raise UsageError(
            f"{', '.join(wanted)}: where is the data? give --data DIR with a folder for each task; `karl bench-data "
            f"list` says where it comes from, `karl bench-data fetch {wanted[0]} --to DIR/{wanted[0]}` brings what is "
            "public"
        )
    found = {name: (config.data or Path()).expanduser() / name for name in wanted}
    if len(config.tasks) == 1 and wanted and not found[wanted[0]].is_dir():
        found[wanted[0]] = (config.data or Path()).expanduser()
    alone = len(config.tasks) == 1
    missing = [name for name, folder in found.items() if not folder.is_dir() and (name != FOGBENCH or alone)]
    if missing:
        there = ",".join(name for name in config.tasks if name not in missing)
        hint = f"; those that are there alone: --suite {there}" if there else ""
        lines = [f"{found[name]}: no such folder; {_source(name, found[name])}" for name in missing]
        raise UsageError("\n".join(lines) + hint)
    # A suite's data need not hold FogBench's: that is generated.
    return {name: folder for name, folder in found.items() if folder.is_dir()}


def _source(name: str, folder: Path) -> str:
    if name == FOGBENCH:
        return f"`karl fogbench make --out {folder}` makes it, and without --data it is made and ingested by itself"
    return f"`karl bench-data fetch {name} --to {folder}`"


def _commands(name: str, folder: Path, config: EvalConfig) -> str:
    given = ["--from", str(folder), "--to", str(folder / "corpus-to-ingest")]
    split = ["--split", config.split] if config.split else []
    command = shlex.join(["karl", "bench-data", "corpus", name, *given, *split])
    named = f", under --name {config.corpus}" if config.corpus else ""
    return f"{command}`, then the `karl ingest` command that it prints{named}"


def _check_corpora(store: Store, mends: dict[str, str]) -> None:
    with store.session() as session:
        known = {corpus.name for corpus in queries.corpora(session)}
    missing = [
        f"no corpus {name!r} in this store; run `{_closed(mend)}" for name, mend in mends.items() if name not in known
    ]
    if missing:
        listed = f"; corpora here: {', '.join(sorted(known))}" if known else ""
        raise UsageError("\n".join(missing) + listed)


def _closed(command: str) -> str:
    return command if "`" in command else f"{command}`"


def _plan(loaded: LoadedTask, corpus: str, *notes: str) -> TaskPlan:
    spec, left = loaded.spec, loaded.left_out
    told = [*notes, *map(str, loaded.shortfalls)]
    if left:
        told.append(f"{len(left)} questions left out: " + "; ".join(f"{key}: {why}" for key, why in left[:SHOWN]))
    return TaskPlan(
        spec.name, spec.title, spec.regime, spec.metric, spec, loaded.items, corpus, loaded.complete, tuple(told)
    )


def _limited(plan: TaskPlan, config: EvalConfig) -> TaskPlan:
    if config.limit is None or config.limit >= len(plan.items):
        return plan
    note = f"limit: {config.limit} of {len(plan.items)} questions"
    items = tuple(evenly(plan.items, config.limit))
    return replace(plan, items=items, complete=False, notes=(*plan.notes, note))


def evenly(items: Sequence[EvalItem], count: int) -> list[EvalItem]:
    """The first of every split, then the second of every split, and so on; in the data's own order."""
    rank: dict[str, int] = defaultdict(int)
    placed: list[tuple[int, int]] = []
    for number, item in enumerate(items):
        placed.append((rank[item.split], number))
        rank[item.split] += 1
    return [items[number] for number in sorted(number for _, number in sorted(placed)[:count])]

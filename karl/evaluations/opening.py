"""The run that holds an evaluation's rollouts: found by its identity, or made; one arm a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from karl.evaluations.config import EvalConfig
from karl.evaluations.identity import SHORT, sha256_of
from karl.evaluations.suite import TaskPlan
from karl.evaluations.systems import System
from karl.run_config import make_config
from karl.runs import FOREIGN, check_name
from karl.tiny import POLICY_FOLDER
from store import queries
from store.errors import UsageError
from store.models import EvalResult, Run
from store.session import Session, Store

SETUP, SYSTEM, DOCUMENT = (
    queries.EVALUATION,
    "system",
    "document",
)  # splits under which the store keeps what is no arm's figures


def open_evaluation(
    store: Store, config: EvalConfig, plans: Sequence[TaskPlan], systems: Sequence[System], *, setup: Mapping[str, Any]
) -> Run:
    """The run of this setup, or a new one. Raises: UsageError where --name is that of something else."""
    digest = sha256_of(setup)
    if config.name is not None:
        check_name(config.name)
    name = config.name or f"eval-{FOREIGN.sub('-', config.label)[:60]}-{digest[:SHORT]}"
    with store.session() as session:
        run = next((run for run in queries.runs(session) if run.name == name), None)
        if run is not None:
            _check_same(session, run, setup)
            return run
        if config.rejudge:
            raise UsageError(
                f"nothing to judge again: no evaluation of these items, corpora and settings is stored (its run would "
                f"be {name!r}); run the command without --rejudge first"
            )
        corpus = queries.corpus_by_name(session, plans[0].corpus)
        run = queries.create_run(
            session, name=name, corpus_id=corpus.id or 0, settings=_run_settings(config, plans, systems)
        )
        _keep(session, run, SETUP, SETUP, dict(setup))
        return run


def arm_names(store: Store, run: Run, identities: Mapping[str, Mapping[str, Any]], *, made: bool) -> dict[str, str]:
    """System -> its arm: the system's name, or where that is of an earlier version of it, name~hash. `made`: new arms
    may be added. Raises: UsageError for one that is not there and may not be.
    """
    found: dict[str, str] = {}
    with store.session() as session:
        held = {row.arm: row.figures for row in queries.eval_results(session, run.id or 0, split=SYSTEM)}
        for name, identity in identities.items():
            second = f"{name}~{sha256_of(identity)[:SHORT]}"
            arm = next((arm for arm in (name, second) if held.get(arm) == identity), None)
            if arm is None and not made:
                raise UsageError(
                    f"run {run.name!r} holds no rollouts of {name!r} as it is now; arms there: "
                    f"{', '.join(held) or 'none'}; run the command without --rejudge first"
                )
            if arm is None:
                arm = second if name in held else name
                _keep(session, run, arm, SYSTEM, dict(identity))
            found[name] = arm
    return found


def keep_document(store: Store, run: Run, sha256: str, document: dict[str, Any]) -> None:
    with store.session() as session:
        _keep(session, run, sha256, DOCUMENT, document)


def _keep(session: Session, run: Run, arm: str, split: str, figures: dict[str, Any]) -> None:
    queries.save_eval_result(session, EvalResult(run_id=run.id or 0, arm=arm, split=split, figures=figures))


def _check_same(session: Session, run: Run, setup: Mapping[str, Any]) -> None:
    held = queries.eval_results(session, run.id or 0, split=SETUP)
    if not held:
        raise UsageError(f"run {run.name!r} is no evaluation; give another --name")
    before = held[0].figures
    if before != dict(setup):
        changed = ", ".join(sorted(key for key in setup if before.get(key) != setup[key]))
        raise UsageError(
            f"run {run.name!r} is an evaluation with other {changed}; give the same ones to go on, or another --name"
        )


def _run_settings(config: EvalConfig, plans: Sequence[TaskPlan], systems: Sequence[System]) -> dict[str, Any]:
    """As a run of the loop keeps them, so that whatever reads runs reads this one: its window is the first policy's."""
    folder = next((system.folder for system in systems if system.folder is not None), POLICY_FOLDER)
    values = {
        "corpus": plans[0].corpus,
        "iterations": 1,
        "base": str(folder),
        "seed": config.seed,
        "reward_threshold": config.threshold,
        "held_out": sum(len(plan.items) for plan in plans),
        "eval_samples": config.samples,
        "eval_temperatures": [],
        "sft_control": False,
    }
    if config.questions is not None:
        values["questions"] = str(config.questions)
    return make_config(values).stored()

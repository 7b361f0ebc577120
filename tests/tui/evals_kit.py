"""A home with evaluations: the repository's own documents, small ones with known answers, and runs with arms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evals.report.document import EvaluationDocument
from evals.suite import Attempt, figures
from store.models import Corpus, EvalResult, Task
from store.queries import RolloutLinks, create_run, save_eval_result, save_rollouts, save_tasks
from store.session import Session, Store
from store.types import Failure, FailureKind, Fate, Purpose, RolloutRecord, RolloutStatus
from tests.store.records import a_rollout

REPORTS = Path(__file__).parents[2] / "docs" / "reports"
THRESHOLD = 0.5
# question -> rewards of its attempts; None: failed
BASE = {0: [0.0, 0.0], 1: [0.0, 1.0], 2: [1.0, 1.0], 3: [0.0, 0.0]}
TRAINED = {0: [1.0, 1.0], 1: [1.0, 1.0], 2: [1.0, 0.0], 3: [0.0, None]}


def keep(home: Path, *documents: EvaluationDocument) -> list[Path]:
    """As `karl eval` keeps them."""
    found: list[Path] = []
    for document in documents:
        path = home / "evaluations" / f"{document.sha256[:16]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.model_dump_json(), encoding="utf-8")
        found.append(path)
    return found


def keep_reports(home: Path) -> list[Path]:
    """FogBench of the embedded policy, and of two trained ones."""
    found: list[Path] = []
    for source in sorted(REPORTS.glob("*.json")):
        text = source.read_text(encoding="utf-8")
        path = home / "evaluations" / f"{json.loads(text)['sha256'][:16]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        found.append(path)
    return found


def evaluated_run(session: Session, name: str = "notes-1") -> int:
    """A run with two evaluated arms on four questions of two kinds; its id."""
    corpus = Corpus(name=f"{name}-corpus", source="notes")
    session.add(corpus)
    session.flush()
    settings = {"iterations": 1, "held_out": 4, "reward_threshold": THRESHOLD}
    run_id = create_run(session, name=name, corpus_id=corpus.id or 0, settings=settings).id or 0
    tasks = save_tasks(session, [_task(run_id, corpus.id or 0, name, number) for number in BASE])
    for arm, iteration, rewards in (("base", 0, BASE), ("oapl-1", 1, TRAINED)):
        add_arm(session, run_id, name, arm, iteration, dict(zip(tasks, rewards.values(), strict=True)))
    return run_id


def _task(run_id: int, corpus_id: int, name: str, number: int) -> Task:
    return Task(
        key=f"{name}/held-out/{number}",
        run_id=run_id,
        iteration=0,
        corpus_id=corpus_id,
        kind="team_leader" if number < 2 else "office",
        question=f"question {number} of [notes]?",
        answer=f"reference {number}",
        fate=Fate.HELD_OUT,
    )


def add_arm(
    session: Session, run_id: int, name: str, arm: str, iteration: int, rewards: dict[int, list[float | None]]
) -> None:
    """Every fourth rollout gave up early, the others explored and committed."""
    every = [(task, attempt, reward) for task, own in rewards.items() for attempt, reward in enumerate(own)]
    rows = [
        (
            _rollout(f"{name}/eval/{arm}/{task}/{attempt}", failed=reward is None, answer=f"answer {task}.{attempt}"),
            RolloutLinks(
                run_id=run_id,
                iteration=iteration,
                task_id=task,
                arm=arm,
                attempt=attempt,
                reward=reward,
                behaviour="" if reward is None else "explore_then_commit" if number % 4 else "giving_up_early",
            ),
        )
        for number, (task, attempt, reward) in enumerate(every)
    ]
    save_rollouts(session, rows)
    save_eval_result(session, EvalResult(run_id=run_id, arm=arm, iteration=iteration, figures=arm_figures(rewards)))


def _rollout(key: str, *, failed: bool, answer: str) -> RolloutRecord:
    return a_rollout(
        key,
        purpose=Purpose.EVALUATE,
        status=RolloutStatus.FAILED if failed else RolloutStatus.FINISHED,
        failure=Failure(FailureKind.TOOL, "no index") if failed else None,
        question=f"asked [{key}]",
        answer="" if failed else answer,
    )


def arm_figures(rewards: dict[int, list[float | None]]) -> dict[str, Any]:
    attempts = {
        task: [
            Attempt(reward, RolloutStatus.FAILED if reward is None else RolloutStatus.FINISHED, 2, 40) for reward in own
        ]
        for task, own in rewards.items()
    }
    kinds = {task: "team_leader" if place < 2 else "office" for place, task in enumerate(rewards)}
    return figures(attempts, kinds=kinds, threshold=THRESHOLD, k=2)


def home_of(store: Store) -> Path:
    return Path(str(store.url.database)).parent

"""Documents with known answers, made through the same figures that `karl eval` makes: what tests of reports share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.judging import Label
from evals.leaderboard.identity import identity_sha256
from evals.prices import Price, PriceTable
from evals.report.document import (
    CorpusEntry,
    EvaluationDocument,
    EvaluationSettings,
    Generation,
    JudgeEntry,
    Question,
    SystemEntry,
    SystemResult,
    TaskEntry,
)
from evals.report.figures import comparison, system_figures
from evals.report.regrade import regraded
from evals.scoring.completion import completion

HOSTILE = '</script><script>alert(1)</script> <img src=x onerror=alert(2)> | `` ` *b* [a](javascript:x) "q" &amp;'
PRICE = Price(input=1.0, output=2.0)


def document(
    systems: Sequence[str] = ("base", "trained"),
    *,
    tasks: Sequence[str] = ("fogbench",),
    questions: int = 8,
    samples: int = 2,
    judge: str = "rule",
    items: str = "i",
    sha256: str = "",
    seed: int = 0,
    text: str = "",
    priced: bool = True,
    complete: bool = True,
    words: int = 1,
    troubled: int = 0,
) -> EvaluationDocument:
    """Later systems are better. `text` stands in every question and answer; `words`: how long an answer is.

    `troubled`: so many questions have a first generation that failed, then one unfinished, then one unjudged.
    """
    rng = np.random.default_rng(seed)
    asked = [
        _question(task, number, systems, samples, rng, text, words, priced)
        for task in tasks
        for number in range(questions)
    ]
    asked = [_troubled(one, number) if number < troubled else one for number, one in enumerate(asked)]
    prices = {"m": PRICE} if priced else {}
    graded = {name: regraded(asked, name, judge=judge, model="m") for name in systems}
    first, *others = systems
    results = [
        SystemResult(
            entry=SystemEntry(name=name, kind="callable", given=f"{name}:f", model=f"{name}:f", sha256="ab", graphs={}),
            figures=system_figures(
                graded[name],
                tasks=tasks,
                samples=samples,
                threshold=0.6,
                prices=PriceTable(models=prices),
                behaviour=None,
            ),
        )
        for name in systems
    ]
    pairs = [comparison((name, graded[name]), (first, graded[first]), threshold=0.6) for name in others]
    made = EvaluationDocument(
        name="eval-test",
        sha256=sha256 or "0" * 64,
        date="2026-11-21T12:00:00+00:00",
        karl="0.1.0",
        settings=EvaluationSettings(
            suite=",".join(tasks),
            samples=samples,
            temperature=None,
            seed=seed,
            limit=None,
            threshold=0.6,
            judge=JudgeEntry(name=judge),
            prices=prices,
        ),
        tasks=tuple(_task(task, questions, items, complete) for task in tasks),
        systems=tuple(results),
        comparisons=tuple(pair for pair in pairs if pair),
        questions=tuple(asked),
        notes=(),
    )
    return made if sha256 else made.model_copy(update={"sha256": identity_sha256(made)})


def _task(name: str, questions: int, items: str, complete: bool) -> TaskEntry:
    return TaskEntry(
        name=name,
        title=name.title(),
        regime="",
        metric="nuggets",
        corpus=CorpusEntry(name=name, sha256="cd", documents=1, chunks=1, embedder="none"),
        questions=questions,
        items_sha256=items,
        complete=complete,
        notes=(),
    )


def _question(
    task: str,
    number: int,
    systems: Sequence[str],
    samples: int,
    rng: np.random.Generator,
    text: str,
    words: int,
    priced: bool,
) -> Question:
    return Question(
        task=task,
        split=f"s{number % 2}",
        kind="",
        key=f"q{number:04}",
        question=f"Who builds {number}? {text}",
        reference=f"Ann {text}",
        nuggets=("Ann", f"Bob {text}"),
        gold=(),
        systems={
            name: tuple(_generation(name, task, number, n, place, rng, text, words, priced) for n in range(samples))
            for place, name in enumerate(systems)
        },
    )


def _generation(
    system: str,
    task: str,
    number: int,
    attempt: int,
    place: int,
    rng: np.random.Generator,
    text: str,
    words: int,
    priced: bool,
) -> Generation:
    chance = min(0.95, 0.3 + 0.25 * place)
    labels: tuple[Label, ...] = tuple("support" if rng.random() < chance else "not_support" for _ in range(2))
    scored = completion(labels, judge="rule")
    return Generation(
        attempt=attempt,
        rollout=f"eval-test/eval/{system}/{task}/q{number:04}/{attempt}",
        status="finished",
        answer=" ".join(["Ann", *[str(rng.integers(10**6)) for _ in range(words)], text]),
        confidence=0.5,
        citations=("notes/1.md",),
        score=scored.strict,
        half_credit=scored.half_credit,
        labels=labels,
        others={"citation_recall": 0.5},
        reason=f"said {text}",
        seconds=1.0 + place,
        searches=2,
        input_tokens=100 * (place + 1),
        output_tokens=10,
        usd=PRICE.usd(input=100 * (place + 1), cached_input=0, output=10) if priced else None,
    )


def _troubled(question: Question, number: int) -> Question:
    changes: dict[str, object] = [
        {
            "status": "failed",
            "answer": "",
            "score": None,
            "half_credit": None,
            "others": {},
            "reason": "tool: no index",
        },
        {"status": "unfinished", "answer": "", "score": 0.0, "half_credit": 0.0, "reason": "budget:  6 turns"},
        {"score": None, "half_credit": None, "reason": "judge: timed out"},
    ][number % 3] | {"labels": ()}
    systems = {name: (own[0].model_copy(update=changes), *own[1:]) for name, own in question.systems.items()}
    return question.model_copy(update={"systems": systems})

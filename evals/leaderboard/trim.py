"""An evaluation without the texts that its owner may not or will not publish; its figures stay what they are."""

from __future__ import annotations

from evals.leaderboard.submission import Held
from evals.report.document import EvaluationDocument, Generation, Question


def trimmed(document: EvaluationDocument, held: Held) -> EvaluationDocument:
    if held is Held.ALL:
        return document
    questions = () if held is Held.FIGURES else tuple(map(_question, document.questions))
    return document.model_copy(update={"questions": questions})


def _question(one: Question) -> Question:
    """Keys, splits and the number of facts stay: by them scores are recomputed and systems compared."""
    return one.model_copy(
        update={
            "question": "",
            "reference": "",
            "nuggets": ("",) * len(one.nuggets),
            "gold": (),
            "systems": {name: tuple(map(_generation, own)) for name, own in one.systems.items()},
        }
    )


def _generation(one: Generation) -> Generation:
    # Why there is no score is a figure; what the judge said of an answer is not.
    reason = one.reason if one.score is None or one.status != "finished" else ""
    return one.model_copy(update={"answer": "", "citations": (), "reason": reason})

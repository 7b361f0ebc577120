"""A judge without a model: normalised matching. It says "rule" on everything it decides; it knows no paraphrase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agents.errors import JudgeError
from agents.judging import Aliases, Attempt, Duplicate, Equivalence, Label, Pair, Quality, QualityCase, Score
from agents.normal_form import canonical, normalise, split_answer

_FILLERS = frozenset(
    ("a", "an", "the", "is", "are", "was", "were", "be", "do", "does", "did", "has", "have", "had", "please")
)
_SUSPECT_SHARE = 0.75


class RuleJudge:
    """`Judge` by rules."""

    name = "rule"

    async def score(self, answer: str, *, question: str, nuggets: Sequence[str], aliases: Aliases = ()) -> Score:
        """One nugget: right iff the answer equals it. Several: items matched / max(nuggets, items).

        Raises: JudgeError without nuggets.
        """
        wanted = [normalise(nugget) for nugget in nuggets]
        if not any(wanted):
            raise JudgeError(f"no nuggets to judge by for the question {question!r}")
        items = [normalise(answer)] if len(wanted) == 1 else split_answer(answer)
        others = [set(map(normalise, names)) - {""} for names in aliases or [()] * len(wanted)]
        labels: list[Label] = [
            "support" if nugget in items or not names.isdisjoint(items) else "not_support"
            for nugget, names in zip(wanted, others, strict=True)
        ]
        matched = labels.count("support")
        reason = f"rule: {matched} of {len(wanted)} nuggets among {len(items)} items"
        return Score(matched / max(len(wanted), len(items)), labels, self.name, reason)

    async def duplicate(self, first: Pair, second: Pair) -> Duplicate:
        """Same content words, or one the inverse of the other."""
        if _content_words(first.question) == _content_words(second.question):
            return Duplicate(True, "rule: the questions have the same content words", self.name)
        if _within(first.answer, second.question) and _within(second.answer, first.question):
            return Duplicate(True, "rule: inverse questions, each names the other's answer", self.name)
        return Duplicate(False, "rule: the content words differ", self.name)

    async def equivalent(self, first: str, second: str, *, question: str) -> Equivalence:
        """Equal in canonical form."""
        same = canonical(first) == canonical(second)
        return Equivalence(same, f"rule: the canonical forms {'agree' if same else 'differ'}", self.name)

    async def quality(self, case: QualityCase) -> Quality:
        reasons = [reason for reason in (_form(case), _grounded(case), _suspect(case)) if reason]
        return Quality(not reasons, reasons, self.name)


def _form(case: QualityCase) -> str:
    if not case.question.strip().endswith("?"):
        return "rule: the question does not end in a question mark"
    if _within(case.answer, case.question):
        return "rule: the question contains its own answer"
    return ""


def _grounded(case: QualityCase) -> str:
    evidence = " ".join(case.evidence)
    missing = [nugget for nugget in case.nuggets if not _within(nugget, evidence)]
    return f"rule: ungrounded, the cited passages do not contain {missing[0]!r}" if missing else ""


def _suspect(case: QualityCase) -> str:
    """Most attempts agree on something else: rather the reference is wrong than all of them."""
    given = Counter(_canonical(attempt) for attempt in case.attempts if attempt.answer.strip())
    if not given:
        return ""
    rival, count = given.most_common(1)[0]
    differs = rival != frozenset(split_answer(case.answer))
    if not differs or count < _SUSPECT_SHARE * len(case.attempts):
        return ""
    return f"rule: reference suspect, {count} of {len(case.attempts)} attempts answer {', '.join(sorted(rival))!r}"


def _canonical(attempt: Attempt) -> frozenset[str]:
    return frozenset(split_answer(attempt.answer))


def _content_words(text: str) -> frozenset[str]:
    return frozenset(normalise(text).split()) - _FILLERS


def _within(part: str, whole: str) -> bool:
    needle = normalise(part)
    return bool(needle) and f" {needle} " in f" {normalise(whole)} "

"""What words say about a turn, by plain rules: hedges, refusals to answer, proposed answers, repeated words.

Rules err on long or ironic texts; where labels of a model are at hand, give `trajectory_of` another `Reader`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from agents.normal_form import canonical, normalise
from evals.behaviour.trajectory import Certainty, Proposal

CONFIDENT_FROM = 0.7  # stated confidence from which an answer counts as given with confidence
UNCERTAIN_BELOW = 0.5
# Whole words in any case; one of them makes a text that states no figure an uncertain one.
HEDGES = (
    *("maybe", "perhaps", "possibly", "probably", "presumably", "apparently", "tentative", "tentatively", "plausible"),
    *("might be", "could be", "may be", "not sure", "not certain", "unsure", "uncertain", "unclear", "i guess"),
    *("best guess", "a guess", "speculative", "cannot confirm", "can't confirm", "could not confirm", "not confirmed"),
    *("could not verify", "couldn't verify", "cannot verify", "unverified", "low confidence", "insufficient evidence"),
    *("likely", "seems to be", "appears to be"),
)
# An answer that begins or consists of one of these is no answer.
REFUSALS = (
    *("i don't know", "i do not know", "don't know", "unknown", "not known", "none found", "no answer", "n/a"),
    *("not found", "cannot determine", "can't determine", "could not determine", "unable to determine", "undetermined"),
    *("unable to find", "could not find", "cannot answer", "can't answer", "insufficient information"),
    *("i cannot determine", "i could not find", "i was unable to", "i am unable to", "i cannot answer"),
    *("no information", "cannot be determined", "not enough information"),
)
_SAID = re.compile(
    r"\b(?:answer|candidate|hypothesis|guess)\**\s*(?:is|would be|must be|may be|might be|could be|seems to be"
    r"|appears to be|:|=)\s*(?P<said>(?:[^\n.;<]|\.(?=\w)){1,160})",
    re.IGNORECASE,
)
_ANSWER_TAG = re.compile(r"<answer[^>]*>(?P<said>.+?)</answer\s*>", re.IGNORECASE | re.DOTALL)
_QUERY_TAG = re.compile(r"<search[^>]*>.*?(?:</search\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_ADVERB = re.compile(
    r"^(?:most |very |almost )?(?:probably|likely|certainly|definitely|clearly|perhaps|indeed)\s+", re.I
)
# "The answer is not in ...", "the answer is still open" propose nothing.
_NOTHING = re.compile(
    r"^(?:not|no|in|on|at|still|somewhere|unknown|unclear|yet|among|there|whether|to be|hidden|missing|correct|wrong"
    r"|right|supported|confirmed)\b",
    re.IGNORECASE,
)
_STATED = re.compile(r"\bconfidence\W{1,4}(?P<number>\d{1,3}(?:\.\d+)?)\s*%", re.IGNORECASE)
# fmt: off
_STOP = frozenset((
    "of", "in", "on", "at", "to", "by", "for", "from", "with", "and", "or", "as", "is", "are", "was", "were", "be",
    "it", "its", "this", "that", "which", "who", "what", "where", "when", "how", "does", "did", "do", "has", "have",
))
# fmt: on
MENTIONED_WORDS = 8  # an answer of more words is hardly ever repeated as it is
# A sentence that holds one of these and the final answer proposes it. A bare mention does not: "Atlas uses Iris" on the
# way to another fact about Iris proposes nothing, whatever the rollout ends with.
_WEIGHED = re.compile(
    r"\b(?:verify|verifies|verifying|verified|confirm\w*|check|double-check|candidate|match(?:es|ed)?|fits?|satisf\w+"
    r"|promising|plausible|i think|i believe|must be|might be|could be|may be|appears? to be|seems? to be|looks like"
    r"|likely|probably|points? to)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


class Reader(Protocol):
    """The features that need words. A model's labels may stand behind it, gathered beforehand: it is not awaited."""

    def certainty(self, text: str, stated: float | None) -> Certainty:
        """`stated`: the confidence that the policy gave, in [0, 1]."""
        ...

    def declines(self, answer: str) -> bool:
        """Whether the text is no answer although it stands in an answer's place."""
        ...

    def proposals(self, texts: Sequence[str], *, question: str, answer: str) -> list[Proposal]:
        """Answers proposed in `texts` (one a turn, the last turn's left out), in order."""
        ...

    def verifies(self, query: str, proposed: str, *, question: str) -> bool:
        """Whether a query made after a proposal looks for what the proposal says."""
        ...

    def same(self, first: str, second: str) -> bool:
        """Whether two proposals are one answer."""
        ...


class WordReader:
    """The rules. A stated confidence outweighs every hedge."""

    def certainty(self, text: str, stated: float | None) -> Certainty:
        if stated is not None:
            sure = stated >= CONFIDENT_FROM
            return Certainty.UNCERTAIN if stated < UNCERTAIN_BELOW else Certainty.CONFIDENT if sure else Certainty.OPEN
        return Certainty.UNCERTAIN if hedged(text) else Certainty.CONFIDENT

    def declines(self, answer: str) -> bool:
        plain = _plain(answer)
        return not plain or any(plain == refusal or plain.startswith(f"{refusal} ") for refusal in _REFUSALS)

    def proposals(self, texts: Sequence[str], *, question: str, answer: str) -> list[Proposal]:
        found = (self._proposal(turn, text, question=question, answer=answer) for turn, text in enumerate(texts))
        return [proposal for proposal in found if proposal is not None]

    def _proposal(self, turn: int, text: str, *, question: str, answer: str) -> Proposal | None:
        """The last one stated in the turn; else the final answer, where the turn weighs it already.

        To weigh is not to state: how sure it was stays open.
        """
        own = _QUERY_TAG.sub(" ", text)
        stated = [said for match in _statements(own) if (said := _cleaned(match["said"])) and not self.declines(said)]
        if stated:
            figure = _STATED.search(own)
            return Proposal(turn, stated[-1], self.certainty(own, float(figure["number"]) / 100 if figure else None))
        return Proposal(turn, answer) if _weighs(own, answer, question=question) else None

    def verifies(self, query: str, proposed: str, *, question: str) -> bool:
        """The query holds half of the words that the proposal adds to the question, or two of them."""
        added = content_words(proposed) - content_words(question)
        repeated = len(added & content_words(query))
        return repeated > 0 and (repeated >= 2 or 2 * repeated >= len(added))

    def same(self, first: str, second: str) -> bool:
        """Equal as answers, or one says all that the other says: "Ilse Petrov, the lead" is "Ilse Petrov"."""
        if canonical(first) == canonical(second):
            return True
        ours, theirs = content_words(first), content_words(second)
        return bool(ours and theirs) and (ours <= theirs or theirs <= ours)


def hedged(text: str) -> bool:
    return _HEDGE.search(_straight(text)) is not None


def content_words(text: str) -> frozenset[str]:
    """In normal form, without articles and other words that carry nothing."""
    return frozenset(normalise(text).split()) - _STOP


def _statements(text: str) -> list[re.Match[str]]:
    """In the order of the text. The inside of an <answer> is one statement, whatever it says."""
    found = [*_SAID.finditer(_ANSWER_TAG.sub(lambda match: " " * len(match[0]), text)), *_ANSWER_TAG.finditer(text)]
    return sorted(found, key=lambda match: match.start())


def _cleaned(said: str) -> str:
    """Without marks of emphasis and adverbs; "" where it proposes nothing."""
    plain = _ADVERB.sub("", said.strip(" \t\n*_`\"'"))
    return "" if _NOTHING.match(plain) or not content_words(plain) else plain.strip(" \t\n*_`\"'")


def _weighs(text: str, answer: str, *, question: str) -> bool:
    phrase = normalise(answer)
    words = phrase.split()
    if not 1 <= len(words) <= MENTIONED_WORDS or not content_words(answer) - content_words(question):
        return False
    weighed = (part for part in _SENTENCE.split(text) if _WEIGHED.search(part))
    return any(f" {phrase} " in f" {normalise(part)} " for part in weighed)


def _straight(text: str) -> str:
    return text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w'/ ]", " ", _straight(text).casefold()).split())


_HEDGE = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, HEDGES)) + r")(?!\w)", re.IGNORECASE)
_REFUSALS = tuple(_plain(refusal) for refusal in REFUSALS)

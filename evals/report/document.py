"""The document of one evaluation, as `karl eval --json` prints it: what was measured, on what, and every answer.

Closed and versioned: reports and leaderboards validate it with `read_document`, and need nothing else. Shares and
scores are in [0, 1], times in seconds, money in USD. An `Estimate` that is None: there was nothing to average.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError

from agents.judging import Label
from evals.prices import Price
from evals.report.behaviour import BehaviourFigures
from evals.report.closed import Closed, CurvePoint, Estimate
from evals.report.spending import CostFigures, LatencyFigures
from store.errors import UsageError

VERSION = 1


class JudgeEntry(Closed):
    """Who labelled the facts. `prompt_sha256`: of its prompt; empty: a rule, which has none."""

    name: str
    prompt_sha256: str = ""


class CorpusEntry(Closed):
    """`sha256`: over keys and contents of all chunks; `embedder`: "none" is BM25 alone."""

    name: str
    sha256: str
    documents: int
    chunks: int
    embedder: str


class TaskEntry(Closed):
    """A task as it was asked."""

    name: str
    title: str
    regime: str
    metric: str = Field(description="nuggets, binary, entities or numeric")
    corpus: CorpusEntry
    questions: int
    items_sha256: str = Field(description="over the items asked, their evidence and published nuggets included")
    nuggets_sha256: str = Field(default="", description="over nuggets that were made here; empty: the data has them")
    complete: bool = Field(description="all questions of the published set were asked")
    notes: tuple[str, ...] = Field(description="what is missing, left out, or was made here (nuggets)")

    @property
    def judged_by(self) -> str:
        """Hash of what answers are judged by: scores of two documents can be compared where it is the same."""
        return self.items_sha256 + self.nuggets_sha256


class GraphEntry(Closed):
    """The graph that a system of ours ran for one task. `k`, `steps`: hits a search and turns a rollout, at most.

    `hashes`: of the graph, its prompts and functions, and of the graphs that it runs: of them the evaluation's hash is
    made. Empty in documents of before there was this key.
    """

    name: str
    sha256: str
    prompt_sha256: dict[str, str]
    k: int | None
    steps: int | None
    hashes: tuple[str, ...] = ()


class SystemEntry(Closed):
    """Who answered. `name` is the arm under which its rollouts are stored, and its label everywhere below."""

    name: str
    kind: Literal["checkpoint", "chat", "endpoint", "callable"]
    given: str = Field(description="as it was named on the command line")
    model: str = Field(description="by which prices are found")
    sha256: str = Field(
        description="of weights, or of a callable's source; empty: an endpoint, whose weights are its own"
    )
    graphs: dict[str, GraphEntry] = Field(description="task -> graph; empty: the system answers by itself")
    url: str = Field(default="", description="of the server that samples; empty: none, or named in `given`")


class SplitFigures(Closed):
    """One split of a task (of FogBench: one regime)."""

    questions: int
    score: Estimate | None
    pass_at_1: Estimate | None


class TaskFigures(Closed):
    """Of one system on one task. A question's generations are averaged first, then questions, then splits.

    generations = scored + failed + unjudged. An unfinished rollout (the policy's own budget ran out) is scored 0.
    """

    questions: int = Field(description="with at least one scored generation")
    generations: int
    scored: int
    failed: int = Field(description="the environment failed: no score, left out of every mean")
    unjudged: int = Field(description="answered, but the judge failed: no score either; the same command asks again")
    unfinished: int
    score: Estimate | None = Field(description="nugget completion, full support only; of one nugget: right or wrong")
    half_credit: Estimate | None = Field(description="the same with partial support as a half")
    pass_at_1: Estimate | None = Field(description="share of generations whose score reaches the threshold")
    splits: dict[str, SplitFigures]
    curve: tuple[CurvePoint, ...] = Field(description="max@k: the best score of k generations, unbiased")
    passes: tuple[CurvePoint, ...] = Field(
        default=(), description="pass@k: the chance that one of k generations reaches the threshold, unbiased"
    )
    others: dict[str, Estimate] = Field(
        description="means beside the score where they are defined: numeric, entity_precision, entity_recall, "
        "entity_f1, entity_recall_top5, the shares entity_recall>=0.8 and entity_f1>=0.5, citation_precision, "
        "citation_recall, retrieval_recall, retrieval_full"
    )
    others_questions: dict[str, int] = Field(default={}, description="questions that each of `others` is defined for")


class ParetoPoint(Closed):
    """Quality against what it costs. None: unknown, as without a price for the model; never 0 for that reason."""

    score: float | None
    usd_per_query: float | None
    tokens_per_query: float | None = Field(description="read and sampled by the policy")
    seconds_p50: float | None = Field(description="to the first answer token; the end, where that is not known")
    seconds_mean: float | None


class SystemFigures(Closed):
    """Of one system on everything."""

    score: Estimate | None = Field(description="mean of the tasks' means; None where a task has no score at all")
    tasks: dict[str, TaskFigures]
    curve: tuple[CurvePoint, ...] = Field(description="max@k, averaged as the score is: mean of the tasks' means")
    cost: CostFigures
    judging: CostFigures = Field(description="what the judge of this document read and wrote; no part of `cost`")
    latency: LatencyFigures
    behaviour: BehaviourFigures | None = Field(description="None: an external system, which shows no steps")
    failures: dict[str, int] = Field(description="reason of failed, unfinished and unjudged generations -> how many")
    pareto: ParetoPoint


class SystemResult(Closed):
    entry: SystemEntry
    figures: SystemFigures


class ComparisonEntry(Closed):
    """`first` minus `second`, paired over the questions that both have scores for; a win is the first's."""

    first: str
    second: str
    difference: Estimate
    tasks: dict[str, Estimate]
    wins: int
    ties: int
    losses: int
    unpaired: int
    transitions: dict[str, dict[str, int]] = Field(
        description="questions by pass rate: unsolved, partial or solved by `second` -> the same by `first`"
    )


class Generation(Closed):
    """One answer of one system. `rollout`: the key of its trace in the store (`karl.load_trace`)."""

    attempt: int
    rollout: str
    status: Literal["finished", "unfinished", "failed"]
    answer: str
    confidence: float | None
    citations: tuple[str, ...] = Field(description="keys of what it cites")
    score: float | None = Field(description="None: failed or unjudged, see `reason`")
    half_credit: float | None
    labels: tuple[Label, ...] = Field(description="one for each nugget; empty where nothing was judged")
    others: dict[str, float] = Field(description="as in `TaskFigures`, of this answer")
    reason: str = Field(description="the judge's, or why there is no score")
    seconds: float
    searches: int
    input_tokens: int | None
    output_tokens: int | None
    usd: float | None


class Question(Closed):
    """One question and what every system answered. `gold`: keys of the evidence; `systems`: name -> generations."""

    task: str
    split: str
    kind: str
    key: str
    question: str
    reference: str
    nuggets: tuple[str, ...]
    gold: tuple[str, ...]
    systems: dict[str, tuple[Generation, ...]]


class EvaluationSettings(Closed):
    """What was asked for. `threshold`: the score from which on a generation counts as right."""

    suite: str
    samples: int
    temperature: float | None = Field(description="None: the graph's own; an endpoint's own")
    seed: int
    limit: int | None = Field(description="questions a task, at most, drawn evenly over its splits")
    threshold: float
    judge: JudgeEntry
    prices: dict[str, Price] = Field(description="model -> USD a million tokens, as given; no part of the identity")


class EvaluationDocument(Closed):
    """`sha256` addresses the evaluation: items, corpora, systems with their graphs and prompts, samples, temperature,
    seed and judge. `name`: the store's run that holds its rollouts, one arm a system.
    """

    version: Literal[1] = VERSION
    name: str
    sha256: str
    date: str = Field(description="when these figures were made, UTC, ISO 8601")
    karl: str = Field(description="version of the program")
    machine: str = Field(default="", description="on which times were taken; empty: not noted")
    settings: EvaluationSettings
    tasks: tuple[TaskEntry, ...]
    systems: tuple[SystemResult, ...]
    comparisons: tuple[ComparisonEntry, ...] = Field(description="every later system minus every earlier one")
    questions: tuple[Question, ...]
    notes: tuple[str, ...]

    def result(self, name: str) -> SystemResult:
        """Raises: KeyError."""
        return next((one for one in self.systems if one.entry.name == name), None) or _missing(name)


class _Versioned(BaseModel):
    version: JsonValue = None


def _missing(name: str) -> SystemResult:
    raise KeyError(name)


def read_document(path: Path) -> EvaluationDocument:
    """Raises: UsageError naming file, key and the mend."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: cannot read the evaluation: {exc}") from exc
    return parse_document(text, where=str(path))


def parse_document(text: str, *, where: str) -> EvaluationDocument:
    """Raises: UsageError."""
    try:
        version = _Versioned.model_validate_json(text).version
        if version != VERSION:
            raise UsageError(
                f"{where}: version: {version!r}; this karl reads {VERSION}; write it with `karl eval --json`"
            )
        return EvaluationDocument.model_validate_json(text)
    except ValidationError as exc:
        error = exc.errors()[0]
        key = ".".join(map(str, error["loc"])) or "document"
        raise UsageError(f"{where}: {key}: {error['msg']}; a document is what `karl eval --json` prints") from exc

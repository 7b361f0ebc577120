"""`karl bench NAME`: measure, and print one JSON object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from karl.commands.bench_embed import embed
from karl.commands.bench_ingest import ingest
from karl.commands.bench_interface import store, tui
from karl.commands.bench_options import AS_JSON, STRICT, finish
from karl.commands.bench_search import search
from karl.commands.common import console, open_store, print_json, settings_of
from karl.commands.run import overrides


@click.group()
def bench() -> None:
    """Measure, as JSON: figures, what they were compared with, targets."""


@bench.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="How many: 0, 1, 2 ...")
@click.option("--iterations", default=2, show_default=True, type=click.IntRange(min=1))
@AS_JSON
@STRICT
@click.pass_context
def demo(context: click.Context, seeds: int, iterations: int, as_json: bool, strict: bool) -> None:
    """What the demo shows, with several seeds and intervals, and how long it takes."""
    from karl.benches.demo import demo_bench
    from karl.terminal import TerminalReporter

    report = demo_bench(
        seeds=range(seeds),
        iterations=iterations,
        settings=settings_of(context),
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="How many companies.")
@click.option("--first-seed", default=0, show_default=True, help="The first of them; the others follow.")
@click.option("--iterations", default=1, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--algorithm", "algorithms", multiple=True, type=click.Choice(["oapl", "grpo", "sft"]), help="Repeatable."
)
@click.option("--samples", default=16, show_default=True, type=click.IntRange(min=1), help="Rollouts a question.")
@click.option("--questions", default=165, show_default=True, type=click.IntRange(min=11), help="Held-out questions.")
@click.option(
    "--steps", default=75, show_default=True, type=click.IntRange(min=1), help="Of the optimiser, a training."
)
@click.option("--temperature", "temperatures", multiple=True, type=float, help="Besides 1. Repeatable.")
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other run setting, key=value.")
@AS_JSON
@STRICT
@click.pass_context
def learning(
    context: click.Context,
    seeds: int,
    first_seed: int,
    algorithms: tuple[str, ...],
    temperatures: tuple[float, ...],
    settings_set: dict[str, Any],
    as_json: bool,
    strict: bool,
    **given: int,
) -> None:
    """Base, SFT on winners, GRPO and OAPL on equal rollouts and equal optimiser steps; question kinds never trained on.

    The same command goes on where it was stopped; with more seeds, iterations or algorithms it makes only what is new.
    """
    from karl.benches.arms import ALGORITHMS
    from karl.benches.learning import LearningOptions, learning_bench
    from karl.terminal import TerminalReporter
    from store.types import Algorithm

    options = LearningOptions(
        seeds=range(first_seed, first_seed + seeds),
        algorithms=[Algorithm(name) for name in algorithms] or ALGORITHMS,
        temperatures=temperatures or LearningOptions.temperatures,
        overrides=settings_set,
        iterations=given["iterations"],
        samples=given["samples"],
        questions=given["questions"],
        steps=given["steps"],
    )
    report = learning_bench(options, settings=settings_of(context), reporter=TerminalReporter(console(stderr=True)))
    finish(report, as_json=as_json, strict=strict)


def letters(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """`a,c`: claims by letter."""
    known = "abcd"
    found = [part.strip() for part in text.split(",")]
    wrong = [part for part in found if part not in known or len(part) != 1]
    if wrong:
        raise click.BadParameter(f"no claim {', '.join(map(repr, wrong))}; there are {', '.join(known)}")
    return found


@bench.command()
@click.option("--only", default="a,b,c,d", show_default=True, callback=letters, help="Claims, with commas between.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="How many companies.")
@click.option("--first-seed", default=0, show_default=True, help="The first of them; the others follow.")
@click.option("--iterations", default=1, show_default=True, type=click.IntRange(min=1), help="Of claim a.")
@click.option("--asked", default=240, show_default=True, type=click.IntRange(min=8), help="Questions to train on.")
@click.option("--questions", default=154, show_default=True, type=click.IntRange(min=11), help="To measure on.")
@click.option("--samples", default=8, show_default=True, type=click.IntRange(min=1), help="Rollouts a question.")
@click.option(
    "--steps", default=75, show_default=True, type=click.IntRange(min=1), help="Of the optimiser, a training."
)
@click.option("--stale", default=400, show_default=True, type=click.IntRange(min=1), help="Steps, in claim d.")
@click.option("--set", "settings_set", multiple=True, callback=overrides, help="Any other run setting, key=value.")
@AS_JSON
@STRICT
@click.pass_context
def claims(
    context: click.Context,
    only: list[str],
    seeds: int,
    first_seed: int,
    settings_set: dict[str, Any],
    as_json: bool,
    strict: bool,
    **given: Any,
) -> None:
    """The paper's claims at this scale: (a) max@k rises, (b) two tasks, (c) compression, (d) stale data.

    Claim a is the learning bench's, with its sizes. The same command goes on where it was stopped.
    """
    from karl.benches.claims import claims_bench
    from karl.benches.claims_rig import ClaimOptions
    from karl.terminal import TerminalReporter

    options = ClaimOptions(seeds=[*range(first_seed, first_seed + seeds)], overrides=settings_set, **given)
    reporter = TerminalReporter(console(stderr=True))
    finish(
        claims_bench(only, options, settings=settings_of(context), reporter=reporter), as_json=as_json, strict=strict
    )


@bench.command()
@click.option("--pdfs", type=click.Path(path_type=Path), required=True, help="Folder of filings (FinanceBench layout).")
@click.option("--questions", type=click.Path(path_type=Path), required=True, help="questions.jsonl of FinanceBench.")
@click.option("--embedder", default="minilm", show_default=True)
@click.option("--ablate", is_flag=True, help="Also with each part taken away in turn.")
@click.option("--ablate-all", is_flag=True, help="And those parts without which every page is embedded anew.")
@AS_JSON
@STRICT
@click.pass_context
def retrieval(
    context: click.Context,
    pdfs: Path,
    questions: Path,
    embedder: str,
    ablate: bool,
    ablate_all: bool,
    as_json: bool,
    strict: bool,
) -> None:
    """Recall of evidence pages and documents over real filings: BM25, dense, hybrid."""
    from karl.benches.retrieval import retrieval_bench
    from karl.terminal import TerminalReporter

    settings = settings_of(context)
    with open_store(settings) as store:
        report = retrieval_bench(
            store,
            pdfs=pdfs,
            questions=questions,
            embedder=embedder,
            settings=settings,
            reporter=TerminalReporter(console(stderr=True)),
            ablate="full" if ablate_all else "quick" if ablate else "",
        )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option("--repeats", default=20, show_default=True, type=click.IntRange(min=1), help="Batches of each variant.")
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(min=1), help="Rollouts under way.")
@click.option("--alone", default=200, show_default=True, type=click.IntRange(min=1), help="Rollouts one at a time.")
@click.option(
    "--full-size",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="Rollouts with the full prompt and long passages, one at a time.",
)
@click.option("--memory-rollouts", default=2_000, show_default=True, type=click.IntRange(min=1))
@click.option("--memory-steps", default=50, show_default=True, type=click.IntRange(min=1))
@AS_JSON
@STRICT
def harness(
    repeats: int,
    concurrency: int,
    alone: int,
    full_size: int,
    memory_rollouts: int,
    memory_steps: int,
    as_json: bool,
    strict: bool,
) -> None:
    """What the harness itself costs: per step, per rollout, in memory; beside LangGraph alone and a loop by hand."""
    from karl.benches.harness import harness_bench
    from karl.terminal import TerminalReporter

    report = harness_bench(
        repeats=repeats,
        concurrency=concurrency,
        alone=alone,
        full_size=full_size,
        memory_rollouts=memory_rollouts,
        memory_steps=memory_steps,
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option("--turns", default=12, show_default=True, type=click.IntRange(min=1), help="Timed steps of each trainer.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of torch; without it, as many as it takes.")
@click.option("--memory-rollouts", nargs=2, default=(640, 5120), show_default=True, type=click.IntRange(min=8))
@click.option("--seed", default=0, show_default=True)
@AS_JSON
@STRICT
def train(
    turns: int, threads: int | None, memory_rollouts: tuple[int, int], seed: int, as_json: bool, strict: bool
) -> None:
    """Is training exact, fast, flat in memory? Against float64, beside a plain PyTorch loop."""
    from karl.benches.train import train_bench
    from karl.benches.train_speed import cases
    from karl.terminal import TerminalReporter

    report = train_bench(
        cases(),
        turns=turns,
        threads=threads,
        memory_rollouts=memory_rollouts,
        seed=seed,
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="How many companies.")
@click.option("--first-seed", default=0, show_default=True, help="The first of them; the others follow.")
@click.option("--train-questions", default=300, show_default=True, type=click.IntRange(min=10), help="8 rollouts each.")
@click.option("--questions", default=100, show_default=True, type=click.IntRange(min=1), help="Of another company.")
@click.option("--searches", default=8, show_default=True, type=click.IntRange(min=2), help="Guided, a question.")
@click.option("--attempts", default=24, show_default=True, type=click.IntRange(min=1), help="Parallel, a question.")
@click.option(
    "--temperature",
    "temperatures",
    multiple=True,
    default=(1.0, 0.5),
    show_default=True,
    type=click.FloatRange(min=0.0),
    help="Of guided and parallel attempts, each with each. Repeatable; the value model is trained on T = 1.",
)
@AS_JSON
@STRICT
@click.pass_context
def value(
    context: click.Context,
    seeds: int,
    first_seed: int,
    temperatures: tuple[float, ...],
    as_json: bool,
    strict: bool,
    **sizes: int,
) -> None:
    """The value model: calibration and AUC on another company; guided search against majority at equal tokens.

    Seeds that the same commit has measured are kept under the data folder: measured one by one, they make one report.
    """
    from karl.benches.value import value_bench
    from karl.benches.value_seed import ValueBench
    from karl.terminal import TerminalReporter

    report = value_bench(
        seeds=range(first_seed, first_seed + seeds),
        sizes=ValueBench(**sizes, temperatures=tuple(dict.fromkeys(temperatures))),
        settings=settings_of(context),
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option("--items", default=2_000, show_default=True, type=click.IntRange(min=1), help="Answers a repeat.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--concurrency", default=64, show_default=True, type=click.IntRange(min=1), help="Requests under way.")
@AS_JSON
@STRICT
def judge(items: int, repeats: int, concurrency: int, as_json: bool, strict: bool) -> None:
    """Answers judged a second by an endpoint that answers at once: what the judge itself costs."""
    from karl.benches.judge import judge_bench
    from karl.terminal import TerminalReporter

    report = judge_bench(
        items=items, repeats=repeats, concurrency=concurrency, reporter=TerminalReporter(console(stderr=True))
    )
    finish(report, as_json=as_json, strict=strict)


@bench.command()
@click.option(
    "--processes", multiple=True, default=(0, 1, 2), show_default=True, type=click.IntRange(min=0), help="Repeatable."
)
@click.option("--questions", "count", default=150, show_default=True, type=click.IntRange(min=1))
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True)
@AS_JSON
@click.pass_context
def sampling(
    context: click.Context, processes: tuple[int, ...], count: int, repeats: int, seed: int, as_json: bool
) -> None:
    """Rollouts a second of the embedded policy, the engine in the agents' process and in its own."""
    from karl.benches.sampling import sampling_bench
    from karl.terminal import TerminalReporter

    report = sampling_bench(
        tuple(dict.fromkeys(processes)),
        count=count,
        repeats=repeats,
        settings=settings_of(context),
        seed=seed,
        reporter=TerminalReporter(console(stderr=True)),
    )
    finish(report, as_json=as_json, strict=False)


@bench.command("report")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs/measurements"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/measurements.md"), show_default=True)
def report_page(folder: Path, out: Path) -> None:
    """Write OUT from the benches' JSON outputs in FOLDER."""
    from karl.benches.markdown import render_report

    out.write_text(render_report(folder), encoding="utf-8")
    click.echo(str(out))


@bench.command()
@click.option("--words", type=click.Path(path_type=Path), required=True, help="Made with --set tokenizer=words.")
@click.option("--bpe", type=click.Path(path_type=Path), required=True, help="Made with --set tokenizer=bpe.")
@click.option("--count", default=110, show_default=True, type=click.IntRange(min=1), help="Questions a company.")
@click.option("--seed", default=0, show_default=True)
@AS_JSON
@click.pass_context
def tokenizers(context: click.Context, words: Path, bpe: Path, count: int, seed: int, as_json: bool) -> None:
    """Words with a byte fallback against byte-level BPE: two `karl tiny make` checkpoints, known and new names."""
    from karl.benches.tokenizers import tokenizer_bench
    from karl.terminal import TerminalReporter

    report = tokenizer_bench(
        {"words": words, "bpe": bpe},
        count=count,
        seed=seed,
        settings=settings_of(context),
        reporter=TerminalReporter(console(stderr=True)),
    )
    if as_json:
        print_json(report)
        return
    for name, companies in report["figures"]["policies"].items():
        for company, figures in companies.items():
            click.echo(
                f"{name}, {company}: pass@1 {figures['pass@1']['mean']}, tokens {figures['sampled_tokens']['mean']}"
            )


bench.add_command(embed)
bench.add_command(search)
bench.add_command(ingest)
bench.add_command(store)
bench.add_command(tui)

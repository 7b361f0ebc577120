"""The claims' bench: what each arm is, at a size that runs in a test; a claim that fails is reported, not hidden."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.engines.scripted import ScriptedEngine
from karl.benches import claims, claims_rig
from karl.benches.arms import bench_home
from karl.benches.claims import CLAIMS, claims_bench
from karl.benches.claims_compression import ASKS_SUMMARY, LONG, SplitEngine
from karl.benches.claims_rig import Claimed, ClaimOptions, Plan, measure, measured_questions, training_questions
from karl.benches.claims_tasks import NEITHER, A, B
from karl.benches.learning_figures import Tries
from karl.benches.learning_kinds import PATTERNS
from karl.reporting import SilentReporter
from karl.run_config import RunConfig
from karl.settings import load_settings
from store.errors import CollapseError
from tests.harness_kit import scripted_policy
from tests.karl.kit import call


def test_a_claim_that_does_not_hold_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def weak(*_: object, **__: object) -> Claimed:
        return Claimed({"pairs": {"gain": {"mean": 0.1, "low": -0.02, "high": 0.2}}}, {"gain": -0.02})

    monkeypatch.setitem(CLAIMS, "b", weak)
    settings = load_settings(tmp_path, home=tmp_path)
    report = claims_bench(["b"], ClaimOptions(), settings=settings, reporter=SilentReporter())
    (target,) = report["targets"]
    assert target == {
        "key": "(b) gain", "value": -0.02, "op": ">", "target": 0.0, "ok": False
    }  # fmt: skip
    assert report["figures"]["b"]["pairs"]["gain"]["high"] == 0.2 and report["name"] == claims.__name__.split(".")[-1]


def test_unknown_claims_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    ended = call(capsys, "bench", "claims", "--only", "b,e")
    assert ended.code == 2 and "no claim 'e'; there are a, b, c, d" in ended.err


def test_tasks_share_no_kind_and_the_measured_kinds_are_in_neither() -> None:
    assert not set(A) & set(B) and not set(NEITHER) & {*A, *B} and {*A, *B, *NEITHER} <= PATTERNS.keys()
    asked = training_questions(0, count=40, kinds=A)
    assert len({question.text for question in asked}) == 40 and {question.kind for question in asked} == set(A)


@pytest.mark.parametrize("kinds", [LONG, tuple(PATTERNS)])
def test_every_half_of_the_training_questions_has_every_kind(kinds: tuple[str, ...]) -> None:
    asked = training_questions(0, count=480, kinds=kinds)
    first, second = ({question.kind for question in asked[place::2]} for place in (0, 1))
    assert first == second == set(kinds)
    assert [q.text for q in asked] == [q.text for q in training_questions(0, count=480, kinds=kinds)]


def test_two_of_three_measured_questions_are_of_the_kinds_that_the_claim_is_about() -> None:
    asked = measured_questions(1, count=154, mostly=NEITHER)
    assert len({question.text for question in asked}) == 154
    assert sum(question.kind in NEITHER for question in asked) == 102
    assert {question.kind for question in asked} == PATTERNS.keys()
    assert len(measured_questions(1, count=33, mostly=())) == 33


def test_other_options_are_never_answered_from_what_was_made_before(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, home=tmp_path)
    homes = {bench_home(settings, "claim-d-0", *parts).home for parts in [(240, 400), (240, 3), (48, 400), ()]}
    assert len(homes) == 4 and bench_home(settings, "claim-d-0", 240, 400).home in homes


def test_a_seed_whose_training_collapses_is_told_and_the_others_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(store: object, config: RunConfig, *_: object, **__: object) -> object:
        if config.seed == 1:
            raise CollapseError("step 9: gone")
        return SimpleNamespace(id=1)

    scored = {"0/1": Tries("home", 4, 2, 1.0, 1.0, 0.0)}
    monkeypatch.setattr(claims_rig, "carry_out", carry_out)
    monkeypatch.setattr(claims_rig, "read_answers", lambda *_, seed, **__: scored)
    settings = load_settings(tmp_path, home=tmp_path)
    plan, quiet = Plan("x", flow=_no_flow, arms={"base": "base"}), SilentReporter()
    found = measure(plan, ClaimOptions(seeds=(0, 1), questions=11), settings=settings, reporter=quiet)
    assert found.answers == {"base": scored} and found.collapsed == {"1": "step 9: gone"}
    with pytest.raises(CollapseError, match="every seed"):
        measure(plan, ClaimOptions(seeds=(1,), questions=11), settings=settings, reporter=quiet)


async def _no_flow(_: object) -> None:
    """Replaced: nothing is carried out."""


async def test_only_turns_that_ask_for_a_summary_go_to_the_summariser() -> None:
    solver, summariser = (scripted_policy(lambda _, said=said: said) for said in ("search", "summary"))
    texts = {1: "who leads it?<|end|><|assistant|>", 2: f"note {ASKS_SUMMARY}"}
    reader = SimpleNamespace(decode=lambda ids: texts[ids[0]])
    split = SplitEngine(solver.engine, summariser.engine, reader)  # pyright: ignore[reportArgumentType]
    for place in texts:
        made = await split.generate(GenerateRequest([place], SamplingParams(max_tokens=9)))
        assert isinstance(made, Generation)
    for policy, asked in ((solver, 1), (summariser, 2)):
        assert isinstance(policy.engine, ScriptedEngine)
        assert [list(request.prompt_ids) for request in policy.engine.requests] == [[asked]]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("claim", ["b", "c", "d"])
def test_each_claim_runs_apart_and_a_second_call_makes_nothing_anew(
    claim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--asked", 16, "--questions", 11, "--samples", 2, "--steps", 2, "--stale", 3, "--seeds", 1]
    command = ["--home", tmp_path, "bench", "claims", "--only", claim, *small, "--set", "group_size=8", "--json"]
    first = call(capsys, *command)
    assert first.code == 0, first.err
    assert f'"({claim}) ' in first.out and "training oapl" in first.err
    again = call(capsys, *command)
    assert again.code == 0 and "training oapl" not in again.err
    figures = [json.loads(each.out)["figures"] for each in (first, again)]
    assert figures[0] == figures[1]

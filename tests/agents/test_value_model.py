"""The served value model: what a plain forward pass says, whatever else is asked at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Qwen3Config, Qwen3ForTokenClassification

from agents.engines.base import Generation
from agents.engines.local.loading import load_model
from agents.engines.local.value_model import ValueModel, load_value
from agents.errors import EngineError
from agents.values import ValueFunction, scored
from store.errors import UsageError
from store.value_record import ValueRecord, write_value_record

VOCAB = 128
RECORD = ValueRecord(name="judge", policy_version=2, reward_threshold=0.5, base_rate=0.5, weights_sha256="ab" * 32)


def make_model(**changes: object) -> Qwen3ForTokenClassification:
    torch.manual_seed(0)
    sizes = {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "initializer_range": 0.1,
        "num_labels": 1,
    }
    return Qwen3ForTokenClassification(Qwen3Config(**{**sizes, **changes})).eval()


def serve(record: ValueRecord = RECORD, **options: int) -> ValueModel:
    return ValueModel(make_model(), record, **options)


def plain(ids: list[int], *, scale: float = 1.0, bias: float = 0.0) -> float:
    with torch.no_grad():
        logit = make_model()(input_ids=torch.tensor([ids])).logits[0, -1, 0]
    return float(torch.sigmoid(scale * logit.double() + bias))


def candidate(*ids: int) -> Generation:
    return Generation(list(ids), [-0.1] * len(ids), "stop")


def random_ids(draw: np.random.Generator, low: int, high: int) -> list[int]:
    return draw.integers(0, VOCAB, int(draw.integers(low, high))).tolist()


async def test_values_are_those_of_a_plain_forward_pass() -> None:
    model, draw = serve(), np.random.default_rng(0)
    prefix = random_ids(draw, 40, 60)
    ids_K = [random_ids(draw, 1, 12) for _ in range(4)]
    values_K = await scored(model, prefix, [candidate(*ids) for ids in ids_K])
    assert values_K == pytest.approx([plain(prefix + ids) for ids in ids_K], abs=1e-5)
    assert len(set(values_K)) == 4
    assert await model.score(prefix, [candidate()]) == pytest.approx([plain(prefix)], abs=1e-5)
    assert await model.score(prefix, []) == []
    await model.aclose()


async def test_a_rollout_that_goes_on_is_scored_from_its_cache() -> None:
    """Of the first candidate the cache holds all, of the second the prefix alone; either way the values are right."""
    model, draw = serve(), np.random.default_rng(1)
    ids = random_ids(draw, 100, 101)
    for kept in (0, 1, 1, 0):
        ids_K = [random_ids(draw, 5, 9) for _ in range(2)]
        before = model.rows.tokens_computed
        values_K = await model.score(ids, [candidate(*c) for c in ids_K])
        assert values_K == pytest.approx([plain(ids + c) for c in ids_K], abs=1e-5)
        spent = model.rows.tokens_computed - before
        ids = ids + ids_K[kept] + random_ids(draw, 20, 21)
    assert spent <= 8 + 8 + 20 + 8  # the last kept candidate, the reply behind it, and two new candidates
    assert model.rows.tokens_computed < 0.4 * model.rows.tokens_asked
    await model.aclose()


@pytest.mark.parametrize("max_rows", [1, 3, 64])
async def test_values_do_not_depend_on_what_else_is_asked(max_rows: int) -> None:
    draw = np.random.default_rng(2)
    shared = random_ids(draw, 30, 31)
    prefixes = [shared + random_ids(draw, 1, 50) for _ in range(12)]
    candidates = [[candidate(*random_ids(draw, 1, 10)) for _ in range(1 + i % 3)] for i in range(12)]
    alone = serve()
    one_by_one = [await alone.score(p, c) for p, c in zip(prefixes, candidates, strict=True)]
    together = serve(max_rows=max_rows)
    for order in (range(12), reversed(range(12))):
        places = list(order)
        found = await asyncio.gather(*(together.score(prefixes[i], candidates[i]) for i in places))
        for place, values in zip(places, found, strict=True):
            assert values == pytest.approx(one_by_one[place], abs=1.1e-5)
            expected = [plain(prefixes[place] + c.token_ids) for c in candidates[place]]
            assert values == pytest.approx(expected, abs=1e-5)
    await alone.aclose()
    await together.aclose()


async def test_the_same_questions_again_get_the_same_values() -> None:
    model, draw = serve(), np.random.default_rng(3)
    prefix, options = random_ids(draw, 30, 31), [candidate(*random_ids(draw, 4, 8)) for _ in range(3)]
    assert await model.score(prefix, options) == await model.score(prefix, options)
    await model.aclose()


async def test_calibration_and_name_come_from_the_record() -> None:
    model = serve(RECORD.model_copy(update={"scale": 0.5, "bias": -1.0}))
    assert await model.score([1, 2, 3], [candidate(4)]) == pytest.approx(
        [plain([1, 2, 3, 4], scale=0.5, bias=-1.0)], abs=1e-5
    )
    named: ValueFunction = model
    assert named.name == "judge v2 abababab"
    await model.aclose()


async def test_a_bad_question_fails_alone_and_a_closed_model_says_so() -> None:
    model = serve()
    good, outside, empty = await asyncio.gather(
        model.score([1, 2], [candidate(3)]),
        model.score([1, 2], [candidate(VOCAB)]),
        model.score([], [candidate(3)]),
        return_exceptions=True,
    )
    assert good == pytest.approx([plain([1, 2, 3])], abs=1e-5)
    assert isinstance(outside, EngineError)
    assert "must share the policy's tokenizer" in str(outside)
    assert isinstance(empty, EngineError)
    await model.aclose()
    await model.aclose()
    with pytest.raises(EngineError, match="closed"):
        await model.score([1], [candidate(2)])


async def test_a_failing_pass_is_told_and_does_not_spoil_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    model = serve()
    right = await model.score([1, 2], [candidate(3)])

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(model.rows, "_forward", broken)
        with pytest.raises(EngineError, match="RuntimeError: out of memory"):
            await model.score([1, 2], [candidate(4)])
    assert await model.score([1, 2], [candidate(3)]) == right
    await model.aclose()


def test_a_folder_is_loaded_and_others_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "judge"
    make_model().save_pretrained(folder)
    with pytest.raises(UsageError, match=r"karl-value.json is missing"):
        load_value(folder)
    write_value_record(folder, RECORD)
    model = load_value(folder)
    assert model.record == RECORD
    asyncio.run(model.aclose())
    with pytest.raises(UsageError, match="a value model, which samples no text"):
        load_model(folder)
    (folder / "karl-value.json").write_text('{"name": "judge"}')
    with pytest.raises(UsageError, match="key 'policy_version'"):
        load_value(folder)


def test_an_architecture_with_a_window_is_refused() -> None:
    model = make_model(
        use_sliding_window=True, sliding_window=8, max_window_layers=0, layer_types=["sliding_attention"] * 2
    )
    with pytest.raises(UsageError, match="sliding window"):
        ValueModel(model, RECORD)

"""The local engine against the plain model: same log-probs, same tokens, and no request that disturbs another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from agents.engines.base import GenerateRequest, Generation, SamplingParams
from agents.engines.local import LocalEngine
from agents.engines.local_sampling import draw
from agents.errors import EngineError
from store.errors import UsageError

VOCAB = 61
PATIENCE = 30.0  # seconds; an engine that hangs or spins must fail the test, not the whole suite
T = TypeVar("T")


def qwen(**changes: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,  # peaked enough that sampling is no coin toss
        "tie_word_embeddings": True,
    }
    return Qwen3ForCausalLM(Qwen3Config(**(values | changes))).eval()


def llama() -> PreTrainedModel:
    """No grouped queries, no tied head, no head_dim of its own: another shape in every respect."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config).eval()


MODELS = {"qwen3": qwen, "llama": llama}


def request(prompt: list[int], *, session: str = "", tokens: int = 8, **sampling: Any) -> GenerateRequest:
    return GenerateRequest(prompt, SamplingParams(max_tokens=tokens, **sampling), session)


async def soon(work: Awaitable[T]) -> T:
    return await asyncio.wait_for(work, PATIENCE)


def plain_logprobs(model: PreTrainedModel, prompt: list[int], sampled: list[int]) -> list[float]:
    """Log-probs of `sampled` behind `prompt` by one full forward pass, no cache, no padding, eager attention."""
    with torch.no_grad():
        logits_TV = model(input_ids=torch.tensor([[*prompt, *sampled]])).logits[0, len(prompt) - 1 : -1]
    return logits_TV.log_softmax(-1).gather(1, torch.tensor(sampled)[:, None])[:, 0].tolist()


def assert_agrees(model: PreTrainedModel, prompt: list[int], generation: Generation | BaseException) -> None:
    assert isinstance(generation, Generation)
    expected = plain_logprobs(model, prompt, generation.token_ids)
    assert generation.logprobs == pytest.approx(expected, abs=1e-4)


def random_prompt(length: int, *, seed: int) -> list[int]:
    return random.Random(seed).choices(range(VOCAB), k=length)


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    opened = LocalEngine(qwen(), max_rows=4, capacity=16)
    yield opened
    await soon(opened.aclose())


# -- agreement with the plain model ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
async def test_log_probs_of_many_turns_agree_with_the_plain_model(make):
    """Ragged conversations in parallel, more than rows, a cache that must grow, prompts that extend what was said."""
    plain, opened = make(), LocalEngine(make(), max_rows=3, capacity=8)

    async def converse(number: int) -> None:
        prompt = random_prompt(3 + 5 * number, seed=number)
        for turn in range(3):
            generation = await opened.generate(
                request(prompt, session=f"s{number}", tokens=2 + (number + turn) % 5, seed=100 * number + turn)
            )
            assert_agrees(plain, prompt, generation)
            prompt = [*prompt, *generation.token_ids, *random_prompt(1 + (7 * number + turn) % 9, seed=turn)]

    try:
        await soon(asyncio.gather(*(converse(number) for number in range(8))))
    finally:
        await soon(opened.aclose())


async def test_an_extended_prompt_computes_only_what_is_new(engine: LocalEngine):
    prompt = random_prompt(30, seed=1)
    first = await soon(engine.generate(request(prompt, session="s", tokens=4)))
    before = engine.tokens_computed
    longer = [*prompt, *first.token_ids, *random_prompt(5, seed=2)]
    again = await soon(engine.generate(request(longer, session="s", tokens=1)))
    assert engine.tokens_computed - before == 1 + 5  # the last sampled token never went through the model
    assert_agrees(qwen(), longer, again)


@pytest.mark.parametrize("kept", [0, 1, 17, 29])
async def test_of_a_changed_prompt_the_common_start_counts(engine: LocalEngine, kept: int):
    prompt = random_prompt(30, seed=1)
    await soon(engine.generate(request(prompt, session="s", tokens=4)))
    changed = [*prompt[:kept], *((token + 1) % VOCAB for token in prompt[kept : kept + 9])]
    before = engine.tokens_computed
    generation = await soon(engine.generate(request(changed, session="s", tokens=6)))
    assert engine.tokens_computed - before == len(changed) - kept + 5
    assert_agrees(qwen(), changed, generation)


async def test_the_same_prompt_again_gives_the_same(engine: LocalEngine):
    asked = request(random_prompt(12, seed=3), session="s", seed=9)
    first, again = await soon(engine.generate(asked)), await soon(engine.generate(asked))
    assert again.token_ids == first.token_ids
    assert again.logprobs == pytest.approx(first.logprobs, abs=1e-4)


async def test_evicted_conversations_are_computed_anew(engine: LocalEngine):
    """Four rows, nine conversations one after another, then the first one goes on."""
    prompts = [random_prompt(6 + n, seed=n) for n in range(9)]
    for number, prompt in enumerate(prompts):
        await soon(engine.generate(request(prompt, session=f"s{number}", tokens=3)))
    before = engine.tokens_computed
    generation = await soon(engine.generate(request(prompts[0], session="s0", tokens=3)))
    assert engine.tokens_computed - before == len(prompts[0]) + 2
    assert_agrees(qwen(), prompts[0], generation)


# -- sampling --------------------------------------------------------------------------------------------------------


async def test_a_seed_decides_whatever_else_runs(engine: LocalEngine):
    asked = request(random_prompt(9, seed=5), tokens=12, seed=42)
    alone = await soon(engine.generate(asked))
    crowd = [request(random_prompt(4 + n, seed=n), tokens=3 + n, seed=n) for n in range(9)]
    among = await soon(asyncio.gather(*map(engine.generate, [*crowd[:5], asked, *crowd[5:]])))
    assert among[5].token_ids == alone.token_ids
    assert among[5].logprobs == pytest.approx(alone.logprobs, abs=1e-4)
    other = await soon(engine.generate(request(random_prompt(9, seed=5), tokens=12, seed=43)))
    assert other.token_ids != alone.token_ids


async def test_greedy_takes_the_likeliest(engine: LocalEngine):
    prompt = random_prompt(10, seed=6)
    generation = await soon(engine.generate(request(prompt, tokens=5, temperature=0.0)))
    plain, said = qwen(), list(prompt)
    for token in generation.token_ids:
        with torch.no_grad():
            assert int(plain(input_ids=torch.tensor([said])).logits[0, -1].argmax()) == token
        said.append(token)


async def test_stops_at_a_stop_id_and_at_max_tokens(engine: LocalEngine):
    prompt = random_prompt(10, seed=7)
    free = await soon(engine.generate(request(prompt, tokens=12, seed=1)))
    assert (len(free.token_ids), free.finish_reason) == (12, "length")
    stop = free.token_ids[4]
    length = free.token_ids.index(stop) + 1
    stopped = await soon(engine.generate(request(prompt, tokens=12, seed=1, stop_ids=(stop,))))
    assert (stopped.token_ids, stopped.finish_reason) == (free.token_ids[:length], "stop")


def test_draws_follow_the_distribution():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    count = 4000
    uniforms = [(n + 0.5) / count for n in range(count)]
    tokens = draw(logits.expand(count, 4), [SamplingParams(1, temperature=0.5)] * count, uniforms=uniforms)
    shares = torch.bincount(tokens, minlength=4) / count
    assert shares.tolist() == pytest.approx((logits[0] / 0.5).softmax(-1).tolist(), abs=1 / count)


def test_top_p_cuts_the_tail_of_its_own_row_only():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(200, 4)
    settings = [SamplingParams(1, top_p=0.7 if n % 2 else 1.0) for n in range(200)]
    tokens = draw(logits, settings, uniforms=[(n + 0.5) / 200 for n in range(200)])
    assert set(tokens[1::2].tolist()) == {0, 1}
    assert set(tokens[::2].tolist()) == {0, 1, 2, 3}


def test_a_uniform_that_rounds_to_one_draws_no_excluded_token():
    logits = torch.tensor([[2.0, 1.0, -3.0]])
    almost = 1.0 - 2.0**-53
    assert draw(logits, [SamplingParams(1, top_p=0.5)], uniforms=[almost]).tolist() == [0]


# -- requests that go wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (request([]), "empty prompt"),
        (request([1, VOCAB]), f"0 to {VOCAB - 1}"),
        (request([-1]), "token ids"),
        (request([1], tokens=0), "max_tokens=0"),
        (request([1], temperature=-1.0), "temperature"),
        (request([1], top_p=0.0), "top_p"),
    ],
)
async def test_a_bad_request_fails_alone(engine: LocalEngine, wrong: GenerateRequest, said: str):
    good = asyncio.ensure_future(engine.generate(request([1, 2, 3], tokens=20)))
    with pytest.raises(EngineError, match=said):
        await soon(engine.generate(wrong))
    assert len((await soon(good)).token_ids) == 20


class Gate:
    """Holds the model before a forward pass until it is opened, so that a test knows where the engine is."""

    def __init__(self, engine: LocalEngine) -> None:
        import threading

        self.passing, self.reached = threading.Event(), threading.Event()
        self.error: Exception | None = None
        self.calls = 0
        plain = engine._model.base_model.forward

        def forward(*args: object, **kwargs: object) -> object:
            self.calls += 1
            self.reached.set()
            assert self.passing.wait(PATIENCE)
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            return plain(*args, **kwargs)

        engine._model.base_model.forward = forward

    async def running(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, PATIENCE)


async def test_cancelling_a_waiting_request_leaves_the_others_alone(engine: LocalEngine):
    prompts = [random_prompt(5 + n, seed=n) for n in range(7)]
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request(p, session=str(n)))) for n, p in enumerate(prompts)]
    await gate.running()  # four are computed, three wait
    tasks[5].cancel()
    gate.passing.set()
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    assert isinstance(ended[5], asyncio.CancelledError)
    for number in (0, 1, 2, 3, 4, 6):
        assert_agrees(qwen(), prompts[number], ended[number])
    assert engine.tokens_sampled == 6 * 8


async def test_cancelling_a_running_request_frees_its_row(engine: LocalEngine):
    gate = Gate(engine)
    long = [asyncio.ensure_future(engine.generate(request([n, 3], tokens=10_000, session=str(n)))) for n in range(4)]
    await gate.running()
    gate.passing.set()
    waiting = asyncio.ensure_future(engine.generate(request([9, 8, 7], tokens=5)))
    long[2].cancel()
    assert_agrees(qwen(), [9, 8, 7], await soon(waiting))
    assert not any(task.done() for task in (long[0], long[1], long[3]))
    for task in long:
        task.cancel()
    await soon(asyncio.gather(*long, return_exceptions=True))
    await _idle(engine)


async def _idle(engine: LocalEngine) -> None:
    """Ask for a token: when it is answered and nothing else runs, the rows are free."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await engine.generate(request([1], tokens=1))
            if engine._active == 0 and not engine._waiting:
                return


async def test_releasing_a_running_conversation_frees_it_afterwards(engine: LocalEngine):
    gate = Gate(engine)
    running = asyncio.ensure_future(engine.generate(request([5, 6, 7], session="s", tokens=6)))
    await gate.running()
    engine.release("s")
    engine.release("never heard of")
    gate.passing.set()
    assert_agrees(qwen(), [5, 6, 7], await soon(running))
    await _idle(engine)
    assert engine._rows == [None] * 4
    assert engine._by_session == {}


async def test_an_idle_engine_computes_nothing(engine: LocalEngine):
    """Waiting must block: an engine that polls would eat a core."""
    import time

    await soon(engine.generate(request([1, 2])))
    engine.release("nobody")
    await asyncio.sleep(0.05)
    began = time.process_time()
    await asyncio.sleep(0.4)
    assert time.process_time() - began < 0.1


async def test_a_failing_model_is_an_engine_error_and_the_engine_goes_on(engine: LocalEngine):
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request([n, 2], session=str(n)))) for n in range(6)]
    await gate.running()
    gate.error = RuntimeError("out of everything")
    gate.passing.set()
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    failed = [end for end in ended if isinstance(end, EngineError)]
    assert failed  # the batch under way; how many it holds depends on who arrived before it began
    assert all(isinstance(end, EngineError | Generation) for end in ended)
    assert all("RuntimeError: out of everything" in str(error) for error in failed)
    assert len({id(error) for error in failed}) == len(failed)
    assert isinstance(failed[0].__cause__, RuntimeError)
    assert_agrees(qwen(), [1, 2], await soon(engine.generate(request([1, 2], session="1"))))


async def test_output_that_is_not_finite_is_never_sampled_from(engine: LocalEngine):
    with torch.no_grad():
        engine._head.weight[3] = float("nan")
    with pytest.raises(EngineError, match="not finite"):
        await soon(engine.generate(request([1, 2])))


async def test_closing_with_requests_under_way(engine: LocalEngine):
    gate = Gate(engine)
    tasks = [asyncio.ensure_future(engine.generate(request([n, 2], tokens=10_000))) for n in range(6)]
    await gate.running()
    gate.passing.set()
    await soon(engine.aclose())
    ended = await soon(asyncio.gather(*tasks, return_exceptions=True))
    assert all(isinstance(end, EngineError) and "closed" in str(end) for end in ended)
    with pytest.raises(EngineError, match="closed"):
        await soon(engine.generate(request([1])))


def test_two_event_loops_one_after_another():
    """The first loop ends with a request under way, as after Ctrl-C; its engine must not care."""
    opened, plain = LocalEngine(qwen(), max_rows=4), qwen()

    async def leave_behind() -> None:
        work = asyncio.ensure_future(opened.generate(request([4, 4], tokens=10_000, session="left")))
        while not opened.tokens_sampled:
            await asyncio.sleep(0.001)
        assert not work.done()

    async def ask() -> Generation:
        return await soon(opened.generate(request([7, 8], session="s")))

    asyncio.run(leave_behind())
    assert_agrees(plain, [7, 8], asyncio.run(ask()))
    assert_agrees(plain, [7, 8], asyncio.run(ask()))
    asyncio.run(opened.aclose())


# -- models that it must not serve -----------------------------------------------------------------------------------


def test_a_sliding_window_is_refused():
    config = MistralConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        sliding_window=16,
    )
    with pytest.raises(UsageError, match="sliding window"):
        LocalEngine(MistralForCausalLM(config).eval())


def test_a_model_that_scales_its_logits_is_refused():
    from transformers import CohereConfig, CohereForCausalLM

    torch.manual_seed(0)
    config = CohereConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=40,
        logit_scale=0.0625,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with pytest.raises(UsageError, match="differ by"):
        LocalEngine(CohereForCausalLM(config).eval(), name="scaled")


def test_broken_weights_are_refused():
    model = qwen()
    with torch.no_grad():
        next(model.parameters())[0] = float("nan")
    with pytest.raises(UsageError, match="not finite"):
        LocalEngine(model)


def test_rows_are_as_many_as_fit():
    from agents.engines.kv_cache import USUAL_TOKENS, rows_that_fit

    config = qwen().config
    row_gib = 2 * 2 * 2 * 8 * 4 * USUAL_TOKENS / 2**30  # K and V, layers, heads, dimension, fp32
    assert rows_that_fit(config, limit=192, gib=4.0, dtype=torch.float32) == 192
    assert rows_that_fit(config, limit=192, gib=row_gib * 5.5, dtype=torch.float32) == 5
    assert rows_that_fit(config, limit=192, gib=0.0, dtype=torch.float32) == 1

"""A run whose policy a vLLM endpoint serves, against the wire double: to the end of an iteration, and with a key."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from agents.engines.base import GenerateRequest, SamplingParams
from agents.engines.local import load_model
from agents.engines.process import ProcessEngine
from agents.engines.router import TokenRouter
from agents.policy import PROFILE_FILE
from agents.structured import JudgeSettings
from karl.endpoints import check_judge, check_vllm, serves
from karl.health import checks
from karl.policies import open_policy
from karl.settings import Settings
from store.errors import KarlError
from tests.karl.kit import call, pairs, random_policy
from tests.karl.loop_kit import reader
from tests.wire_double import Answer, background_server, completion

KEY = "secret-key"
NOBODY = "http://127.0.0.1:9/v1"
RUN = {
    "generator_runs": 30,
    "max_tasks": 10,
    "group_size": 4,
    "held_out": 3,
    "eval_samples": 2,
    "eval_temperatures": "[]",
    "sft_control": "true",
}


def base_policy(folder: Path) -> Path:
    """Weights that know nothing, spoken to like the embedded policy."""
    profile = {"name": "served", "prompt_variant": "tiny", "context_tokens": 512}
    (random_policy(folder) / PROFILE_FILE).write_text(json.dumps(profile))
    return folder


def unsure_reader(weights: Path | None = None) -> Callable[[dict[str, Any]], Awaitable[Answer]]:
    """What the endpoint samples: the scripted reader, wrong in every third answer, so that groups are mixed.

    With `weights` the log-probs are those of that model, as a real endpoint's are: the trainer compares them.
    """
    turns = itertools.count()
    model = load_model(weights) if weights else None
    policy = reader(lambda product, person: person if next(turns) % 3 else "nobody")

    async def answer(body: dict[str, Any]) -> Answer:
        sampling = SamplingParams(max_tokens=body["max_tokens"], stop_ids=tuple(body["stop_token_ids"]))
        reply = await policy.engine.generate(GenerateRequest(body["prompt"], sampling))
        if model is None:
            return completion(reply.token_ids, reply.finish_reason)
        logprobs = {"token_logprobs": token_logprobs(model, body["prompt"], reply.token_ids)}
        return completion(reply.token_ids, reply.finish_reason, logprobs=logprobs)

    return answer


def token_logprobs(model: PreTrainedModel, prompt: list[int], sampled: list[int]) -> list[float]:
    with torch.no_grad():
        logits_TV = model(torch.tensor([prompt + sampled])).logits[0, len(prompt) - 1 : -1]
    return logits_TV.log_softmax(-1).gather(1, torch.tensor(sampled)[:, None])[:, 0].tolist()


def test_wire_double_a_run_ends_though_nobody_serves_the_new_checkpoint(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    base = base_policy(project / "base")
    assert call(capsys, "ingest", project / "notes", "--name", "notes", "--embedder", "none").code == 0
    arguments = ["run", "--corpus", "notes", "--base", base, "--questions", project / "asked.jsonl"]
    with background_server(unsure_reader(base), models=(str(base),), api_key=KEY) as (url, seen):
        (project / "karl.toml").write_text(f'engine = "vllm"\nvllm_url = "{url}"\n')
        refused = call(capsys, *arguments, "--iterations", 1)
        assert refused.code == 1
        assert "refuses the key (status 401); set vllm_api_key" in refused.err
        monkeypatch.setenv("KARL_VLLM_API_KEY", KEY)
        ended = call(capsys, *arguments, "--iterations", 1, *pairs(RUN), "--json")
        assert ended.code == 0, ended.err
        answered = call(capsys, "ask", "notes", "who leads product1?", "--json")
    summary = json.loads(ended.out)
    assert summary["state"] == "done"
    assert [row["arm"] for row in summary["evaluation"]] == ["base", "oapl-1", "sft-1"]
    assert {body["model"] for body in seen} == {str(base)}
    assert {body["authorization"] for body in seen} == {f"Bearer {KEY}"}
    assert summary["training"]["oapl-1"]["drift_mean"] < 1e-3
    trained = project / ".karl" / "checkpoints" / "notes-1" / "oapl-1"
    said = f"does not serve {trained}: the local engine samples it, on device cpu"
    assert said in " ".join(ended.err.split())
    assert said in " ".join(answered.err.split())
    assert json.loads(answered.out)["checkpoint"] == str(trained)
    assert KEY not in ended.err + ended.out


async def test_wire_double_open_policy_says_when_it_samples_locally(tmp_path: Path):
    served, other = base_policy(tmp_path / "served"), base_policy(tmp_path / "other")
    said: list[str] = []
    with background_server(unsure_reader(), models=(str(served),)) as (url, _):
        settings = Settings.model_validate({"engine": "vllm", "vllm_url": url})
        policy = open_policy(served, settings=settings, say=said.append)
        assert isinstance(policy.engine, TokenRouter) and said == []
        await policy.engine.aclose()
        policy = open_policy(other, settings=settings, say=said.append)
        assert isinstance(policy.engine, ProcessEngine)
        assert said == [f"vLLM endpoint {url} does not serve {other}: the local engine samples it, on device cpu"]
        await policy.engine.aclose()
        with pytest.raises(KarlError, match=f"serves {served}, not {other}"):
            open_policy(other, settings=settings)
    with pytest.raises(KarlError, match="no answer"):  # down is not the same as serving another one
        open_policy(other, settings=settings, say=said.append)
    assert len(said) == 1


def test_wire_double_a_key_that_is_refused_names_its_setting():
    with background_server(unsure_reader(), models=("m",), api_key=KEY) as (url, _):
        settings = Settings.model_validate({"vllm_url": url, "vllm_api_key": KEY})
        assert serves(settings, model="m")
        assert not serves(settings, model="n")
        check_vllm(settings, model="m")
        for wrong in ("", "wrong"):
            with pytest.raises(KarlError, match=r"refuses the key \(status 401\); set vllm_api_key in karl\.toml"):
                check_vllm(settings.model_copy(update={"vllm_api_key": wrong}), model="m")
        with pytest.raises(KarlError, match=r"judge endpoint .* set \[judge\] api_key"):
            check_judge(JudgeSettings(base_url=url, model="m", api_key="wrong"))


def test_wire_double_one_endpoint_of_two_is_enough_and_the_other_is_named():
    said: list[str] = []
    with background_server(unsure_reader(), models=("m",)) as (url, _):
        settings = Settings.model_validate({"vllm_url": f"{NOBODY}, {url}"})
        assert settings.vllm_url == [NOBODY, url]
        check_vllm(settings, model="m", say=said.append)
        assert len(said) == 1 and NOBODY in said[0] and said[0].endswith("the other endpoints do its work")
        assert serves(settings, model="m")
    with pytest.raises(KarlError, match=rf"{NOBODY}: no answer[^\n]*\n.*{url}: no answer"):
        check_vllm(settings, model="m")


def test_wire_double_an_endpoint_with_too_little_room_is_refused():
    with background_server(unsure_reader(), models=("m",), max_model_len=512) as (url, _):
        settings = Settings.model_validate({"vllm_url": url})
        check_vllm(settings, model="m", context_tokens=512)
        with pytest.raises(KarlError, match=r"takes 512 tokens.*context_tokens 1024; .* --max-model-len 1024"):
            check_vllm(settings, model="m", context_tokens=1024)


def test_wire_double_doctor_shows_every_endpoint():
    with background_server(unsure_reader(), models=("m",), max_model_len=512) as (url, _):
        settings = Settings.model_validate({"engine": "vllm", "vllm_url": [url, NOBODY]})
        up, down = [check for check in checks(settings) if check.name == "vLLM endpoint"]
    assert (up.level, up.found, up.mend) == (
        "ok",
        f"{url} serves m (512 tokens); 3 requests running, 1 waiting",
        "",
    )
    assert down.level == "missing" and NOBODY in down.found
    assert down.mend == "start it, or correct vllm_url in karl.toml"

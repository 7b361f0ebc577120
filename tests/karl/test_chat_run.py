"""engine = chat over a wire double: settings, doctor, `karl ask`, a run that makes questions and trains nothing."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.chat_policy import ChatPolicy
from karl.endpoints import check_chat
from karl.health import checks
from karl.policies import open_policy
from karl.settings import Settings, load_settings
from store import queries
from store.errors import KarlError, UsageError
from store.models import Rollout
from store.session import Store
from tests.graphs.chat_kit import said
from tests.karl.kit import call, pairs
from tests.karl.loop_kit import FACT
from tests.wire_double import Answer, background_server

KEY = "secret-key"
RUN = {"iterations": 1, "generator_runs": 12, "max_tasks": 4, "group_size": 4, "held_out": 3, "eval_samples": 2}
QUESTION = re.compile(r"who leads (\w+)\?")
UNTRAINED = "extends: iteration\nnodes: {snapshot: null, train: null, evaluate: null}\nedges: {check_quality: end}\n"


def reads_notes() -> Any:
    """What a hosted model writes to the full prompts: a pair about the note shown; or a search, then an answer."""
    turns = itertools.count()

    def answer(body: dict[str, Any]) -> Answer:
        first, last = body["messages"][0]["content"], body["messages"][-1]["content"]
        asked = QUESTION.findall(first)
        if not asked:
            person, product = FACT.findall(first)[-1]
            return said(
                f"<candidate><question>who leads {product}?</question><answer>{person}</answer>"
                f"<nugget>{person}</nugget> [1]</candidate>"
            )
        if len(body["messages"]) == 1:
            return said(f"<search>{asked[-1]}</search>")
        found = [person for person, led in FACT.findall(last) if led == asked[-1]]
        right = found and next(turns) % 3
        return said(f"It says so [1].\n<answer>{found[0] if right else 'nobody'}</answer>\n<confidence>70</confidence>")

    return answer


def configure(project: Path, url: str, **changes: str) -> None:
    keys = {"base_url": url, "model": "hosted", "api_key": KEY, **changes}
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    (project / "graphs").mkdir(exist_ok=True)
    (project / "karl.toml").write_text(f'engine = "chat"\ngraph_path = ["graphs"]\n[chat]\n{table}')


def test_wire_double_a_hosted_model_answers_and_a_run_trains_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "ingest", project / "notes", "--name", "notes", "--embedder", "none").code == 0
    arguments = ["run", "--corpus", "notes", "--questions", project / "asked.jsonl", *pairs(RUN), "--json"]
    with background_server(reads_notes(), models=("hosted",), api_key=KEY) as (url, seen):
        configure(project, url)
        answered = call(capsys, "ask", "notes", "who leads product1?", "--json")
        plain = call(capsys, "ask", "notes", "who leads product1?")
        refused = call(capsys, *arguments)
        (project / "graphs").mkdir(exist_ok=True)
        (project / "graphs" / "iteration.yaml").write_text(UNTRAINED)
        ended = call(capsys, *arguments)
    assert answered.code == 0, answered.err
    reply = json.loads(answered.out)
    assert (reply["model"], reply["checkpoint"], reply["searches"]) == ("hosted", None, 1)
    assert "hosted)" in plain.out
    assert refused.code == 2 and "nothing can be trained on them" in refused.err and "'snapshot'" in refused.err
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["state"] == "done" and KEY not in ended.err + ended.out + refused.err
    assert {body["authorization"] for body in seen} == {f"Bearer {KEY}"}
    store = Store.open(f"sqlite:///{project}/.karl/karl.db")
    with store.session() as session:
        rows = [
            session.get_one(Rollout, queries.rollout_id_by_key(session, key))
            for run in queries.runs(session)
            for key in queries.rollout_keys(session, run.id)
        ]
    store.close()
    assert len(rows) > 20 and not any(row.trainable for row in rows)
    assert {row.model for row in rows} == {"hosted"} and sum(row.reward == 1.0 for row in rows) > 3


def test_wire_double_doctor_and_the_check_before_a_run_name_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    many = tuple(f"model-{n}" for n in range(12))
    with background_server(reads_notes(), models=(*many, "hosted"), api_key=KEY) as (url, _):
        table = {"base_url": url, "model": "hosted", "api_key": KEY}
        settings = Settings.model_validate({"engine": "chat", "chat": table})
        (check,) = [check for check in checks(settings) if check.name == "chat endpoint"]
        assert check.level == "ok" and re.fullmatch(rf"{url} answers in \d+ ms; model hosted", check.found)
        assert isinstance(open_policy(None, settings=settings), ChatPolicy)
        wrong = Settings.model_validate({"engine": "chat", "chat": {**table, "model": "hostd"}}).chat
        assert wrong is not None
        with pytest.raises(KarlError, match=r"and 5 more, not \[chat\] model 'hostd'; did you mean 'hosted'\?"):
            check_chat(wrong)
        with pytest.raises(KarlError, match=r"refuses the key \(status 401\); set \[chat\] api_key in karl\.toml"):
            check_chat(wrong.model_copy(update={"api_key": "wrong"}))
    (check,) = [check for check in checks(settings) if check.name == "chat endpoint"]
    assert check.level == "missing" and "no answer" in check.found and "[chat] base_url" in check.mend


def test_the_engine_needs_its_table(project: Path) -> None:
    (project / "karl.toml").write_text('engine = "chat"\n')
    with pytest.raises(UsageError, match=r"karl\.toml: engine 'chat' needs a table \[chat\] with base_url and model$"):
        load_settings()
    (project / "karl.toml").write_text('engine = "chat"\n[chat]\nbase_url = "x"\nmodle = "y"\n')
    with pytest.raises(UsageError, match=r"unknown key 'chat\.modle'; did you mean 'model'\?"):
        load_settings()

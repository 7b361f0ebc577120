"""Token ids as texts by the checkpoint's own tokenizer, and what happens where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from karl.control.tokens import token_texts
from karl.tiny import POLICY_FOLDER
from store.models import Checkpoint, Run
from store.queries import RolloutLinks, save_checkpoint, save_rollouts
from store.session import Store
from store.types import Algorithm, Provenance
from tests.store.records import a_rollout, a_run

TINY = Provenance("solver", "", {}, "karl-tiny", 0)


def a_tokenizer(folder: Path, *, name: str = "other") -> Path:
    """A checkpoint folder whose tokens are single bytes, named so in its profile."""
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel as Split

    alphabet = {character: id_ for id_, character in enumerate(sorted(Split.alphabet()))}
    tokenizer = Tokenizer(BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = Split(add_prefix_space=False), ByteLevel()
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "karl.json").write_text(json.dumps({"name": name}))
    return folder


def a_stored(store: Store, provenance: Provenance, *, run_id: int | None = None) -> int:
    with store.session() as session:
        record = replace(a_rollout(f"r/{provenance.model}/{run_id}"), provenance=provenance)
        return save_rollouts(session, [(record, RolloutLinks(run_id=run_id))])[0]


def test_the_embedded_policy_needs_no_run(store: Store):
    texts = token_texts(store, a_stored(store, TINY))
    assert texts is not None and texts.folder == POLICY_FOLDER
    ids = texts.tokenizer.encode("Who leads Atlas?").ids
    assert "".join(texts.of(ids)) == " Who leads Atlas?"  # it puts a space before the first word
    assert texts.knows(ids) and not texts.knows([10**6])


def test_a_character_of_several_tokens_is_the_last_ones(store: Store, tmp_path: Path):
    with store.session() as session:
        run, _ = a_run(session)
        found = session.get_one(Run, run)
        found.settings = {"base": str(a_tokenizer(tmp_path / "base"))}
    texts = token_texts(store, a_stored(store, replace(TINY, model="other"), run_id=run))
    assert texts is not None
    ids = texts.tokenizer.encode("a€b").ids
    assert len(ids) == 5
    assert texts.of(ids) == ["a", "", "", "€", "b"]
    assert texts.of(ids[:2]) == ["a", "\ufffd"]  # a page may end inside of a character


def test_the_checkpoint_of_the_policys_version_comes_first(store: Store, tmp_path: Path):
    with store.session() as session:
        run, _ = a_run(session)
        for version in (1, 2, 3):
            folder = a_tokenizer(tmp_path / f"oapl-{version}")
            save_checkpoint(
                session,
                Checkpoint(
                    run_id=run, name=f"r/{version}", algorithm=Algorithm.OAPL, path=str(folder), policy_version=version
                ),
            )
    found = token_texts(store, a_stored(store, Provenance("solver", "", {}, "other", 2), run_id=run))
    assert found is not None and found.folder == tmp_path / "oapl-2"


@pytest.mark.parametrize("damage", ["gone", "no tokenizer", "another model"])
def test_without_its_tokenizer_there_are_no_texts(store: Store, tmp_path: Path, damage: str):
    folder = a_tokenizer(tmp_path / "base", name="stranger" if damage == "another model" else "other")
    if damage == "gone":
        (folder / "tokenizer.json").unlink()
    if damage == "no tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    with store.session() as session:
        run, _ = a_run(session)
        session.get_one(Run, run).settings = {"base": str(folder)}
    assert token_texts(store, a_stored(store, replace(TINY, model="other"), run_id=run)) is None
    assert token_texts(store, 999) is None


def test_no_model_library_is_loaded():
    code = (
        "import sys, karl.control.tokens as t; t._tokenizer(t.POLICY_FOLDER / t.TOKENIZER); "
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"

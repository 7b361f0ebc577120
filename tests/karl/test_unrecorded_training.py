"""A command that ends between the checkpoint and its row: the next one records what is there, and trains nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from agents.policy import load_profile
from karl.training import train
from rl_backend.checkpoint import weights_sha256
from store import queries
from store.models import Checkpoint
from store.session import Store
from store.types import Algorithm
from tests.karl.kit import call
from tests.karl.loop_kit import make_context
from tests.karl.test_train_command import FAST, home, made, steps_stored  # noqa: F401 - fixtures
from tests.rl_backend.test_from_store import frozen
from tests.rl_backend.toy import make_base


@contextmanager
def no_new_checkpoints(store: Store) -> Iterator[None]:
    """The store takes everything but a row of that table."""
    execute(store, "CREATE TRIGGER refused BEFORE INSERT ON checkpoint BEGIN SELECT RAISE(ABORT, 'no room'); END")
    try:
        yield
    finally:
        execute(store, "DROP TRIGGER refused")


def execute(store: Store, statement: str) -> None:
    with store.session() as session:
        session.connection().exec_driver_sql(statement)


def identity_of_file(path: Path) -> tuple[int, int]:
    """Another if the file was written again."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def test_karl_train_records_what_the_last_command_left(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
):
    out, store = home / "trained" / "x", Store.open(f"sqlite:///{home}/karl.db")
    with no_new_checkpoints(store):
        refused = call(capsys, "train", "d", "--out", "x", *FAST)
    store.close()
    assert refused.code == 1 and "no room" in refused.err
    assert load_profile(out).policy_version == 1
    written = identity_of_file(out / "model.safetensors")
    other = call(capsys, "train", "d", "--out", "x", *FAST, "--set", "lr=0.001")
    assert other.code == 2 and "not recorded yet; give that training's command again" in other.err
    again = call(capsys, "train", "d", "--out", "x", *FAST, "--json")
    assert again.code == 0, again.err
    assert (json.loads(again.out)["steps"], steps_stored(home, "train/x")) == (4, [1, 2, 3, 4])
    assert identity_of_file(out / "model.safetensors") == written
    assert [path.name for path in (home / "trained").iterdir()] == ["x"]
    rows = json.loads(call(capsys, "train", "--list", "--json").out)["checkpoints"]
    assert [row["name"] for row in rows] == ["run/base", "x"]
    taken = call(capsys, "train", "d", "--out", "x", *FAST)
    assert taken.code == 2 and "is trained already" in taken.err


async def test_a_run_records_what_it_left(tmp_path: Path):
    recipe = tmp_path / "fast.toml"
    recipe.write_text("batch_rollouts = 8\nthreads = 1\nepochs = 2\nlr = 0.002\n")
    context = make_context(tmp_path, recipe=str(recipe), train_steps=None)
    base = make_base(tmp_path / "base")
    (base / "karl.json").write_text('{"name": "toy", "policy_version": 0}')
    row = Checkpoint(run_id=context.run_id, name=context.key("base"), algorithm=Algorithm.BASE, path=str(base))
    with context.store.session() as session:
        start = queries.save_checkpoint(session, row)
        frozen(session, base)
        dataset = queries.dataset_by_name(session, "d")
    with pytest.raises(IntegrityError, match="no room"), no_new_checkpoints(context.store):
        await train(context, 1, dataset, start=start, algorithm=Algorithm.OAPL)
    out = context.folder / "oapl-1"
    written = identity_of_file(out / "model.safetensors")
    trained = await train(context, 1, dataset, start=start, algorithm=Algorithm.OAPL)
    assert identity_of_file(out / "model.safetensors") == written
    assert (trained.name, trained.path) == (context.key("oapl-1"), str(out))
    assert trained.weights_sha256 == weights_sha256(out)
    assert trained.policy_version == load_profile(out).policy_version == 1
    assert (trained.parent_id, trained.dataset_id) == (start.id, dataset.id)
    assert not out.with_name("oapl-1.training").exists()

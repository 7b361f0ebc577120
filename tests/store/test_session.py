"""Opening, refusing, upgrading a store; transactions; pragmas."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from store.errors import KarlError, UsageError
from store.migrations.runner import alembic_config
from store.models import Corpus, Judgement
from store.queries import corpora
from store.queries.traces import load_rollout, trace_record
from store.session import HEAD, Store, known_revisions, normalise_url, read_json, upgrade

FIRST_SCHEMA_ROWS = {
    "rollout": {
        **{"id": 1, "key": "old/1", "iteration": 1, "arm": "", "attempt": 0, "role": "SOLVER", "purpose": "TRAIN"},
        **{"status": "FINISHED", "question": "Who?", "answer": "Mira", "citations": "[]", "failure_reason": ""},
        **{"failure_traceback": "", "graph": "solver", "graph_sha256": "a", "prompt_sha256": "{}", "model": "tiny"},
        **{"policy_version": 0, "temperature": 1.0, "seed": 7, "step_count": 1, "search_count": 1},
        **{"sampled_tokens": 4, "seconds": 0.5, "created_at": "2026-11-20 00:00:00"},
    },
    "step": {
        **{"rollout_id": 1, "ordinal": 0, "kind": "SEARCH", "text": "look", "query": "mira", "hits": "[3]"},
        **{"prompt_tokens": 10, "sampled_tokens": 4, "policy_seconds": 0.1, "tool_seconds": 0.2},
    },
}

SECOND_SCHEMA_ROWS = {
    "rollout": {**FIRST_SCHEMA_ROWS["rollout"], "trainable": False},
    "step": {**FIRST_SCHEMA_ROWS["step"], "calls": '[{"tool": "search"}]', "alternatives": "[]", "value": 0.5},
    "judgement": {
        **{"id": 1, "key": "old/quality", "kind": "quality", "judge": "rule", "prompt_sha256": "", "labels": "[]"},
        **{"reason": "", "created_at": "2026-11-20 00:00:00", "graph": "quality_filter", "graph_sha256": "b"},
    },
}


def names(store: Store) -> list[str]:
    with store.session() as session:
        return [corpus.name for corpus in corpora(session)]


def stamped(path: Path, *, revision: str | None) -> str:
    """A file with an alembic_version table and nothing else."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        if revision is not None:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    return f"sqlite:///{path}"


def schema(path: Path) -> set[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, " ".join(sql.replace('"', "").split())) for name, sql in rows if name != "alembic_version"}


def test_a_new_store_is_at_head_and_opens_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/karl.db"
    first = Store.open(url)
    with first.session() as session:
        session.add(Corpus(name="notes", source="x"))
    first.close()
    again = Store.open(url)
    assert names(again) == ["notes"]
    with again.session() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == HEAD
    again.close()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD == known_revisions()[-1]


def test_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    url = stamped(tmp_path / "migrated.db", revision=None)
    assert upgrade(url) == ("", HEAD)
    store = Store.open(url)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    store.close()
    created = Store.open(f"sqlite:///{tmp_path}/created.db")
    created.close()
    # Autogenerate does not see AUTOINCREMENT or foreign keys' details on SQLite; the table list with it does.
    migrated_tables, created_tables = schema(tmp_path / "migrated.db"), schema(tmp_path / "created.db")
    assert {name for name, _ in migrated_tables} == {name for name, _ in created_tables}
    assert [sql for name, sql in sorted(migrated_tables) if "AUTOINCREMENT" in sql] != []
    assert {name for name, sql in migrated_tables if "AUTOINCREMENT" in sql} == {
        name for name, sql in created_tables if "AUTOINCREMENT" in sql
    }


def test_an_older_store_is_refused_until_upgraded(tmp_path: Path) -> None:
    url = stamped(tmp_path / "old.db", revision=None)
    with pytest.raises(UsageError, match=r"older karl.*karl db upgrade"):
        Store.open(url)
    upgrade(url)
    store = Store.open(url)
    assert names(store) == []
    store.close()
    assert upgrade(url) == (HEAD, HEAD)


def upgraded(folder: Path, *, revision: str, rows: Mapping[str, Mapping[str, Any]]) -> Store:
    """A store that was written at `revision`, refused, and upgraded."""
    url = f"sqlite:///{folder}/{revision}.db"
    with create_engine(url).begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        for table, row in rows.items():
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)
    with pytest.raises(UsageError, match="karl db upgrade"):
        Store.open(url)
    assert upgrade(url) == (revision, HEAD)
    return Store.open(url)


def test_rows_of_the_first_schema_survive_the_upgrade(tmp_path: Path) -> None:
    store = upgraded(tmp_path, revision="0001", rows=FIRST_SCHEMA_ROWS)
    with store.session() as session:
        record = trace_record(load_rollout(session, 1))
    store.close()
    assert (record.key, record.answer, record.trainable) == ("old/1", "Mira", True)
    assert [(step.query, step.hits, step.calls, step.value) for step in record.steps] == [("mira", [3], [], None)]


def test_rows_of_the_second_schema_survive_the_upgrade(tmp_path: Path) -> None:
    store = upgraded(tmp_path, revision="0002", rows=SECOND_SCHEMA_ROWS)
    with store.session() as session:
        record = trace_record(load_rollout(session, 1))
        judgement = session.get_one(Judgement, 1)
    store.close()
    assert (record.key, record.answer, record.trainable) == ("old/1", "Mira", False)
    assert (record.explanation, record.queued, record.began) == (None, 0.0, 0.0)
    assert [([call.tool for call in step.calls], step.value) for step in record.steps] == [(["search"], 0.5)]
    assert (judgement.graph, judgement.graph_sha256, judgement.function_sha256) == ("quality_filter", "b", {})


def test_a_newer_store_is_refused_by_open_and_upgrade(tmp_path: Path) -> None:
    url = stamped(tmp_path / "new.db", revision="9999")
    for call in (Store.open, upgrade):
        with pytest.raises(UsageError, match=r"newer karl \(schema 9999, here .*upgrade karl-agents"):
            call(url)


def test_a_failed_upgrade_changes_nothing(tmp_path: Path) -> None:
    url = stamped(tmp_path / "half.db", revision=None)
    with sqlite3.connect(tmp_path / "half.db") as connection:
        connection.execute("CREATE TABLE segment (id INTEGER)")  # the migration makes corpus, document ... first
    with pytest.raises(KarlError, match="nothing was changed"):
        upgrade(url)
    assert {name for name, _ in schema(tmp_path / "half.db")} == {"segment"}


@pytest.mark.parametrize(
    ("content", "hint"), [(b"not a database" * 100, "not a database"), (None, "not karl's")], ids=["text", "foreign"]
)
def test_what_is_no_store_is_refused(tmp_path: Path, content: bytes | None, hint: str) -> None:
    path = tmp_path / "x.db"
    if content is None:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE other (id INTEGER)")
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=hint):
        Store.open(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["nonsense", "mysql+nothing://x/y"])
def test_a_wrong_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        Store.open(url)


def test_postgres_goes_through_psycopg_and_its_ddl_renders(capsys: pytest.CaptureFixture[str]) -> None:
    from alembic import command

    assert normalise_url("postgresql://me@host/db").drivername == "postgresql+psycopg"
    assert normalise_url("postgres://me@host/db").drivername == "postgresql+psycopg"
    command.upgrade(alembic_config(url="postgresql+psycopg://"), HEAD, sql=True)
    printed = capsys.readouterr().out
    assert printed.index("CREATE TABLE task") > 0
    assert "CREATE TABLE rollout" in printed
    assert "ALTER TABLE task ADD CONSTRAINT fk_task_generator_rollout" in printed
    assert "ALTER TYPE algorithm ADD VALUE IF NOT EXISTS 'GRPO'" in printed


def test_pragmas(store: Store) -> None:
    with store.session() as session:
        values = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "foreign_keys")
        }
        assert values == {"journal_mode": "wal", "foreign_keys": 1}
        assert session.execute(text("PRAGMA synchronous")).scalar_one() == 1
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() == 30_000


def test_an_error_rolls_back(store: Store) -> None:
    with pytest.raises(RuntimeError), store.session() as session:
        session.add(Corpus(name="lost", source="x"))
        session.flush()
        raise RuntimeError
    assert names(store) == []


def test_in_memory_store_is_one_database() -> None:
    store = Store.open("sqlite://")
    with store.session() as session:
        session.add(Corpus(name="notes", source="x"))
    assert names(store) == ["notes"]
    store.close()


def test_opening_at_head_does_not_import_alembic(tmp_path: Path) -> None:
    code = f"""
import sys, time
from store.session import Store
Store.open("sqlite:///{tmp_path}/a.db").close()
start = time.perf_counter()
Store.open("sqlite:///{tmp_path}/a.db").close()
assert "alembic" not in sys.modules and "torch" not in sys.modules
print(time.perf_counter() - start)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3


def test_two_processes_may_create_the_store_at_once(tmp_path: Path) -> None:
    code = f'from store.session import Store; Store.open("sqlite:///{tmp_path}/both.db").close()'
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(p.communicate()[1], p.returncode) for p in both] == [("", 0), ("", 0)]


def test_columns_of_json_read_as_they_were_written() -> None:
    values = [[], {}, ["a", None, True, 1.5, 10**30, float("inf")], {"halves": "\ud83d"}, "words"]
    assert [read_json(json.dumps(value)) for value in values] == values
    with pytest.raises(ValueError, match="line 1"):
        read_json("{")

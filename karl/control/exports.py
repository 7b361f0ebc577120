"""A rollout as a JSON file that nobody has to open the store for."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

from store import queries
from store.errors import KarlError
from store.session import Store


def export_trace(store: Store, rollout_id: int, *, folder: Path) -> Path:
    """Write `trace-ID.json` into `folder`, tokens included; a file that is there is left alone, the next number taken.

    Raises: KarlError for an unknown rollout, or where nothing can be written.
    """
    with store.session() as session:
        trace = queries.load_rollout(session, rollout_id)
        row = trace.rollout
        places = {name: getattr(row, name) for name in ("run_id", "iteration", "task_id", "arm", "attempt", "reward")}
        verdicts = [row.model_dump(mode="json") for row in queries.judgements_of(session, rollout_id)]
    document = {"rollout_id": rollout_id, **places, "behaviour": row.behaviour}
    return _write(
        folder.absolute(), rollout_id, document | asdict(queries.trace_record(trace)) | {"judgements": verdicts}
    )


def _write(folder: Path, rollout_id: int, document: dict[str, Any]) -> Path:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    for number in count(1):
        path = folder / f"trace-{rollout_id}{'' if number == 1 else f'-{number}'}.json"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text + "\n")
        except FileExistsError:
            continue
        except OSError as exc:
            raise KarlError(f"{path}: cannot be written: {exc.strerror}") from exc
        return path
    raise AssertionError("unreachable")

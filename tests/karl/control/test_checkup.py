"""The findings of `karl doctor`, kept for a while."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from karl.control import checkup
from karl.control.checkup import Checkup, examine
from karl.settings import Settings


def test_what_is_missing_comes_first_with_its_mend(tmp_path: Path):
    settings = Settings(home=tmp_path, engine="vllm", vllm_url=["http://127.0.0.1:9/v1"])
    found = examine(settings)
    levels = [finding.level for finding in found]
    assert levels == sorted(levels, key=["missing", "optional", "ok"].index)
    assert (found[0].name, found[0].level) == ("vLLM endpoint", "missing")
    assert found[0].mend
    assert "store" in {finding.name for finding in found}


def test_findings_are_kept_and_made_afresh_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = Checkup(Settings(home=tmp_path))
    first = kept.findings(cancelled=lambda: False)
    assert kept.findings(cancelled=lambda: False) is first
    assert kept.findings(cancelled=lambda: False, afresh=True) is not first
    monkeypatch.setattr(checkup, "SECONDS", 0.0)
    again = kept.findings(cancelled=lambda: False)
    assert [finding.name for finding in again] == [finding.name for finding in first]
    assert again is not first


def test_whoever_quits_does_not_wait_for_an_endpoint(tmp_path: Path):
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        kept = Checkup(Settings(home=tmp_path, engine="vllm", vllm_url=[url]))
        assert kept.findings(cancelled=lambda: True) == ()
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "karl-checkup")

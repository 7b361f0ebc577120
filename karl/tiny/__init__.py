"""The embedded policy: generated companies, scripted demonstrations, tokenizer and the shipped checkpoint."""

from __future__ import annotations

from pathlib import Path

POLICY_FOLDER = Path(__file__).parent / "policy"

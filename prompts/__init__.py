"""Prompt files and their loader. `load_prompt("solver")` -> text, variables, output parser, sha256."""

from prompts.loader import Prompt, load_prompt

__all__ = ["Prompt", "load_prompt"]

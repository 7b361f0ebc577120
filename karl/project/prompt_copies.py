"""Prompt files that shadow the built-in ones and say the same."""

from __future__ import annotations

from prompts.loader import BUILT_IN

COPIED = ("solver",)
_HEAD = """\
# A copy of the built-in prompt: what you change here is what the policy reads, from the next run on.
# `karl prompt show {name} --var question=...` prints what it reads, `karl prompt diff {name}` what you have changed,
# `karl prompt lint` checks it. Comments stand up here only: everything below the second --- goes to the policy.
# A policy with prompts of its own (the shipped one, "tiny") reads prompts/<policy>/{name}.md instead.
"""


def prompt_copies() -> dict[str, str]:
    """Name -> file."""
    return {name: prompt_copy(name) for name in COPIED}


def prompt_copy(name: str) -> str:
    """The built-in prompt as a file of the project: the same text, and what can be done with it."""
    text = (BUILT_IN / f"{name}.md").read_text(encoding="utf-8")
    fence, body = text.split("\n", 1)
    return f"{fence}\n{_HEAD.format(name=name)}{body}"

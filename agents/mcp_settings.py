"""An MCP server as a graph names it: how to reach it and which of its tools the policy may call.

Settings only: nothing of the `mcp` package is imported before a server is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, Field, model_validator

from store.errors import UsageError

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class McpServer(BaseModel, frozen=True, extra="forbid"):
    """A program to start (`command`, `args`) or an address to call (`url`); one of the two.

    Values of `env` and `headers` may hold `${NAME}`: secrets stay out of the file, its hash and the store.
    """

    command: str = Field(default="", description="program that speaks MCP on stdin and stdout")
    args: tuple[str, ...] = Field((), description="arguments of `command`")
    env: dict[str, str] = Field(default_factory=dict, description="added to a small default environment")
    cwd: str = Field(default="", description="working directory of the command; empty: that of this process")
    url: str = Field(default="", description="streamable HTTP endpoint, such as http://127.0.0.1:8765/mcp")
    headers: dict[str, str] = Field(default_factory=dict, description="sent with every request to `url`")
    tools: tuple[str, ...] = Field(default=(), description="which of the server's tools; empty: all of them")
    prefix: bool = Field(default=False, description="call its tools <server>_<tool>, where names would collide")
    open_seconds: float = Field(default=30.0, gt=0, description="until the server has answered the first message")
    call_seconds: float = Field(default=60.0, gt=0, description="one call of a tool; beyond it the rollout failed")

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        if bool(self.command) == bool(self.url):
            raise ValueError("give `command` or `url`, one of the two")
        foreign = ("headers",) if self.command else ("args", "env", "cwd")
        given = [name for name in foreign if getattr(self, name)]
        if given:
            raise ValueError(f"`{given[0]}` does not go with `{'command' if self.command else 'url'}`")
        return self


def expand(values: Mapping[str, str], *, server: str) -> dict[str, str]:
    """`values` with every `${NAME}` taken from the environment. Raises: UsageError for a variable that is not set."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise UsageError(f"MCP server '{server}': the environment variable {match[1]} is not set; export it")
        return os.environ[match[1]]

    return {key: _VARIABLE.sub(value_of, value) for key, value in values.items()}

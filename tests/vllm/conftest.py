"""Fixtures of the tests against a real server: two servers are started once, for all tests of the folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.vllm.kit import Company, Server, generated_company, interpreter, served_policy


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows a measured figure on the terminal, whatever pytest captures."""
    plugins = request.config.pluginmanager
    reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")

    def show(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    return show


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the checkpoint that both servers serve."""
    return served_policy(tmp_path_factory.mktemp("served") / "policy")


@pytest.fixture(scope="session")
def pair(
    tmp_path_factory: pytest.TempPathFactory, served: Path, say: Callable[[str], None]
) -> Iterator[tuple[Server, Server]]:
    python = interpreter()
    if python is None:
        pytest.skip("no vLLM: `make test-vllm` installs it, or set KARL_VLLM_PYTHON")
    logs = tmp_path_factory.mktemp("logs")
    both = (Server(python, served, logs / "one.log"), Server(python, served, logs / "other.log"))
    began = time.perf_counter()
    try:
        for server in both:
            server.start()
        for server in both:
            server.wait()
        say(f"two vLLM servers up after {time.perf_counter() - began:.0f} s")
        yield both
    finally:
        for server in both:
            server.kill()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with generated_company(tmp_path) as made:
        yield made

"""Real vLLM servers of the second environment, and a generated company to ask them about."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from agents.judges import RuleJudge
from graphs.runner import GraphRunner
from graphs.state import RolloutInputs
from karl.collect import Collector, Unit
from karl.corpora import ingest_corpus
from karl.corpus_choices import CorpusChoices
from karl.reporting import SilentReporter
from karl.run_config import make_config
from karl.runs import open_run
from karl.settings import Settings
from karl.tiny import POLICY_FOLDER
from karl.tiny.world import make_world, questions, write_notes
from store.queries import RolloutLinks
from store.session import Store
from store.types import Purpose
from store.vectors.batching import AsyncSearcher
from store.vectors.library import open_index

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 480.0  # a minute where the cores are free; two servers that start at once on two busy ones need longer
# A model's own sampling defaults, which must not reach our draws.
GENERATION_CONFIG = {"top_k": 1, "temperature": 0.1, "min_p": 0.9, "repetition_penalty": 1.7}


def interpreter() -> Path | None:
    """Python with vLLM: KARL_VLLM_PYTHON, which is taken at its word, else that of .venv-vllm where it is there."""
    given = os.environ.get("KARL_VLLM_PYTHON")
    if given:
        return Path(given)
    made = REPOSITORY / ".venv-vllm"
    return made / "bin" / "python" if (made / ".installed").is_file() else None


def served_policy(folder: Path) -> Path:
    """The embedded policy with a `generation_config.json` that would ruin the draws."""
    shutil.copytree(POLICY_FOLDER, folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **GENERATION_CONFIG}))
    return folder


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@dataclass
class Server:
    """One vLLM server on a port of its own, that can be killed and started again."""

    python: Path
    model: Path
    log: Path
    dtype: str = "float32"
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = self._spawn(log)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        arguments = ["--model", self.model, "--dtype", self.dtype, "--port", self.port, "--host", "127.0.0.1"]
        limits = ["--enforce-eager", "--max-model-len", 1024, "--max-num-seqs", 64]
        # `-m`: the `vllm` script looks for a distribution of that name, and the CPU build has another.
        command = [self.python, "-m", "vllm.entrypoints.openai.api_server", *arguments, *limits]
        settings = {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KARL_", "VLLM_"))}
        return subprocess.Popen(
            [*map(str, command)], env=kept | settings, stdout=log, stderr=log, start_new_session=True
        )

    def wait(self) -> None:
        """Until it answers. Raises: AssertionError with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None and self._process.poll() is None, f"vLLM died:\n{self._tail()}"
            try:
                if httpx.get(f"{self.url}/models", timeout=1.0).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.5)
        raise AssertionError(f"vLLM did not answer within {START_SECONDS:.0f} s:\n{self._tail()}")

    def kill(self) -> None:
        """SIGKILL to the server and its engine, as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-4_000:]


@dataclass(frozen=True)
class Company:
    """A store with the ingested notes of a generated company, a run over them, and questions with their answers."""

    store: Store
    settings: Settings
    run_id: int
    corpus_id: int
    searcher: AsyncSearcher
    asked: list[tuple[str, tuple[str, ...]]]

    def units(self, count: int, *, stage: str) -> list[Unit]:
        return [
            Unit(
                key=f"{stage}/{number}",
                inputs=RolloutInputs(question=question),
                links=RolloutLinks(run_id=self.run_id, iteration=1, attempt=number),
                purpose=Purpose.TRAIN,
                nuggets=answers,
            )
            for number, (question, answers) in enumerate((self.asked * (count // len(self.asked) + 1))[:count])
        ]

    async def collect(self, units: list[Unit], runner: GraphRunner, *, concurrency: int) -> None:
        collector = Collector(self.store, RuleJudge(), 0, concurrency, asyncio.Event(), corpus_id=self.corpus_id)
        with SilentReporter().stage("solving", len(units)) as progress:
            await collector.collect(units, runner=runner, run_id=self.run_id, progress=progress)


@contextmanager
def generated_company(folder: Path) -> Iterator[Company]:
    settings = Settings.model_validate({"home": folder / "home"})
    world = make_world(77)
    write_notes(world, folder / "notes")
    store = Store.open(settings.store_url)
    ingest_corpus(
        store,
        folder / "notes",
        name="company",
        settings=settings,
        choices=CorpusChoices(embedder="none"),
        reporter=SilentReporter(),
    )
    run = open_run(store, make_config({"corpus": "company"}), name=None).run
    assert run.id is not None
    searcher = AsyncSearcher(open_index(store, "company", home=settings.home))
    asked = [(question.text, tuple(question.answers)) for question in questions(world, count=24, seed=7)]
    try:
        yield Company(store, settings, run.id, run.corpus_id, searcher, asked)
    finally:
        store.close()

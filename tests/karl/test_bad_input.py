"""Bad input through the real command line: one clear message, the right exit code, and nothing stored is lost."""

from __future__ import annotations

import http.server
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from store.session import HEAD
from tests.karl.kit import REPOSITORY, Ended, call, counts, random_policy, small_company, spawn


@dataclass(frozen=True)
class Project:
    """A folder as a user has it: notes ingested as corpus `notes`, a policy that knows nothing."""

    folder: Path
    questions: Path
    base: Path

    @property
    def home(self) -> Path:
        return self.folder / ".karl"

    def run(self, *more: object) -> list[object]:
        return ["run", "--corpus", "notes", "--base", self.base, "--questions", self.questions, *more]

    def settings(self, text: str) -> None:
        (self.folder / "karl.toml").write_text(text, encoding="utf-8")


Call = Callable[..., Ended]


@pytest.fixture
def karl(capsys: pytest.CaptureFixture[str]) -> Call:
    return lambda *arguments: call(capsys, *arguments)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, karl: Call) -> Project:
    for name in [name for name in os.environ if name.startswith("KARL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    notes, questions = small_company(tmp_path)
    assert karl("ingest", notes, "--name", "notes", "--embedder", "none").code == 0
    return Project(tmp_path, questions, random_policy(tmp_path / "base"))


def assert_clear(ended: Ended, *said: str, code: int) -> None:
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err + ended.out
    message = ended.err[ended.err.index("karl: ") :] if "karl: " in ended.err else ended.err
    assert len(message.strip().splitlines()) <= 2, message  # one message, a second line at most for its mend
    assert "not a mistake of yours" not in message
    for part in said:
        assert part in message


@pytest.fixture
def dead_url() -> str:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


# -- what the user names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("search", "nots", "who"), ("ask", "nots", "who"), ("run", "--corpus", "nots")],
    ids=["search", "ask", "run"],
)
def test_unknown_corpus(project: Project, karl: Call, arguments: tuple[str, ...]):
    before = counts(project.home)
    more = ["--base", str(project.base)] if arguments[0] == "run" else []
    assert_clear(karl(*arguments, *more), "nots", "notes", code=2)
    assert counts(project.home) == before


def test_unknown_run(project: Project, karl: Call):
    assert_clear(karl("show", "nothing-1"), "nothing-1", "none yet", code=2)


def test_empty_folder(project: Project, karl: Call):
    (project.folder / "empty").mkdir()
    before = counts(project.home)
    ended = karl("ingest", project.folder / "empty", "--name", "empty")
    assert_clear(ended, str(project.folder / "empty"), "nothing to read", ".pdf", code=2)
    assert counts(project.home) == before


def test_only_a_corrupt_pdf(project: Project, karl: Call):
    folder = project.folder / "filings"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\nnot a pdf at all")
    before = counts(project.home)
    assert_clear(karl("ingest", folder, "--name", "filings"), str(folder), "report.pdf", code=2)
    assert counts(project.home) == before
    assert_clear(karl("search", "filings", "words"), "filings", code=2)


@pytest.mark.parametrize("damage", ["missing", "empty", "no weights"])
def test_missing_model_folder(project: Project, karl: Call, damage: str):
    folder = project.folder / "elsewhere"
    if damage == "empty":
        folder.mkdir()
    if damage == "no weights":
        random_policy(folder)
        (folder / "model.safetensors").unlink()
    before = counts(project.home)
    assert_clear(karl("run", "--corpus", "notes", "--base", folder), str(folder), code=2)
    assert_clear(karl("ask", "notes", "who?", "--checkpoint", folder), str(folder), code=2)
    assert counts(project.home) == before  # not even a run that could never start


def test_questions_file_with_a_bad_line(project: Project, karl: Call):
    before = counts(project.home)
    file = project.folder / "asked.jsonl"
    file.write_text('{"question": "who?", "answer": "mira"}\n\n{"question": "where?"}\n', encoding="utf-8")
    run = ["run", "--corpus", "notes", "--base", project.base, "--questions"]
    assert_clear(karl(*run, file), f"{file}:3", "answer", code=2)
    file.write_text('{"question": "who?", "answer": "mira"}\n{"question"\n', encoding="utf-8")
    assert_clear(karl(*run, file), f"{file}:2", "not a JSON object", code=2)
    file.write_text("\n", encoding="utf-8")
    assert_clear(karl(*run, file), str(file), "holds no question", code=2)
    assert_clear(karl(*run, project.folder / "none.jsonl"), "none.jsonl", "cannot be read", code=2)
    assert counts(project.home) == before


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('embeder = "none"\n', ("'embeder'", "did you mean 'embedder'?")),
        ('[judge]\nbase_url = "x"\nmodle = "y"\nmodel = "z"\n', ("judge.modle", "did you mean 'model'?")),
        ("concurrency = 0\n", ("'concurrency'", "got 0")),
        ("engine = \n", ("not valid TOML", "line 1")),
    ],
)
def test_wrong_settings_file(project: Project, karl: Call, text: str, said: tuple[str, ...]):
    project.settings(text)
    assert_clear(karl("runs"), str(project.folder / "karl.toml"), *said, code=2)


def test_wrong_environment_variable(project: Project, karl: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KARL_CONCURRENCY", "many")
    assert_clear(karl("runs"), "KARL_CONCURRENCY", "'many'", code=2)


def test_wrong_run_setting(project: Project, karl: Call):
    assert_clear(karl(*project.run("--set", "group_sise=4")), "'group_sise'", "did you mean 'group_size'?", code=2)
    assert_clear(karl(*project.run("--set", "group_size=1")), "'group_size'", "got 1", code=2)
    unpaired = karl(*project.run("--set", "group_size"))
    assert unpaired.code == 2
    assert "'group_size': write key=value" in unpaired.err
    assert_clear(karl(*project.run("--recipe", "tinny")), "tinny", "tiny", code=2)


def test_unreadable_graph(project: Project, karl: Call):
    graphs = project.folder / "graphs"
    graphs.mkdir()
    project.settings(f'graph_path = ["{graphs}"]\n')
    before = counts(project.home)
    shipped = (REPOSITORY / "graphs" / "quality_filter.yaml").read_text(encoding="utf-8")
    (graphs / "quality_filter.yaml").write_text(shipped.replace("nodes:", "nodes: [", 1), encoding="utf-8")
    assert_clear(karl(*project.run()), f"{graphs / 'quality_filter.yaml'}:7:1: not valid YAML", code=2)
    (graphs / "quality_filter.yaml").write_text(shipped.replace("nodes:", "nods:", 1), encoding="utf-8")
    assert_clear(karl(*project.run()), "nods", "nodes", code=2)
    assert counts(project.home) == before


# -- endpoints -------------------------------------------------------------------------------------------------------


class _Models(http.server.BaseHTTPRequestHandler):
    """Lists one model and then refuses to work."""

    def do_GET(self) -> None:
        self._reply(200, {"data": [{"id": self.server.served}]})  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        self.server.posts += 1  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(400, {"error": "the weights fell off"})

    def _reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class _Server(http.server.ThreadingHTTPServer):
    served = ""
    posts = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that stopped early hangs up; the default would print that into the command's stderr."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Models) as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def test_endpoint_down(project: Project, karl: Call, dead_url: str):
    project.settings(f'engine = "vllm"\nvllm_url = "{dead_url}"\n')
    before = counts(project.home)
    assert_clear(karl(*project.run("--iterations", 1)), dead_url, "no answer", "vllm_url in karl.toml", code=1)
    assert_clear(karl("ask", "notes", "who?", "--checkpoint", project.base), dead_url, code=1)
    assert counts(project.home) == before


def test_endpoint_serves_another_model(project: Project, karl: Call, server: _Server):
    server.served = "other"
    project.settings(f'engine = "vllm"\nvllm_url = "{server.url}"\n')
    assert_clear(karl(*project.run("--iterations", 1)), "serves other", f"--model {project.base}", code=1)


def test_an_endpoint_that_breaks_stops_the_stage_early(project: Project, karl: Call, server: _Server):
    """Thousands of rollouts would each fail; the message has to name the reason, not `no question kept`."""
    server.served = str(project.base)
    project.settings(f'engine = "vllm"\nvllm_url = "{server.url}"\nconcurrency = 16\n')
    ended = karl(*project.run("--iterations", 1, "--set", "eval_samples=400"))
    assert_clear(ended, "48 rollouts in a row failed", "status 400", "the weights fell off", code=1)
    assert 48 <= server.posts <= 48 + 16
    assert counts(project.home, ["rollout"])[0] >= 48  # kept as failed rows, to be tried anew
    assert "failed" in karl("runs").out
    assert "the weights fell off" in karl("show", "notes-1").out


def test_judge_endpoint_down(project: Project, karl: Call, dead_url: str):
    project.settings(f'[judge]\nbase_url = "{dead_url}"\nmodel = "judge"\n')
    before = counts(project.home)
    assert_clear(karl(*project.run()), dead_url, "judge endpoint", "[judge] base_url", code=1)
    assert counts(project.home) == before


# -- the data folder -------------------------------------------------------------------------------------------------


def test_home_that_cannot_be_written(project: Project, karl: Call):
    (project.folder / "file").write_text("in the way")
    for home in (project.folder / "file", project.folder / "file" / "home"):
        assert_clear(karl("--home", home, "runs"), str(project.folder / "file"), code=2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_read_only_home(project: Project, karl: Call):
    project.home.chmod(0o500)
    try:
        assert_clear(karl("ingest", project.folder / "notes", "--name", "again"), str(project.home), code=2)
    finally:
        project.home.chmod(0o700)


def test_store_of_an_older_schema(project: Project, karl: Call):
    before = counts(project.home)
    with sqlite3.connect(project.home / "karl.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ''")
    assert_clear(karl("runs"), "older karl", "karl db upgrade", code=2)
    with sqlite3.connect(project.home / "karl.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert_clear(karl("runs"), "newer karl", "9999", code=2)
    with sqlite3.connect(project.home / "karl.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (HEAD,))
    assert counts(project.home) == before


def test_a_file_that_is_no_store(project: Project, karl: Call):
    (project.folder / "odd").mkdir()
    (project.folder / "odd" / "karl.db").write_text("certainly no database" * 100)
    assert_clear(karl("--home", project.folder / "odd", "runs"), "karl.db", "not a database", code=2)


# -- tracebacks ------------------------------------------------------------------------------------------------------


def test_tracebacks_only_with_debug(project: Project):
    plain = spawn("search", "nots", "who", cwd=project.folder)
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.strip().splitlines() == [plain.err.strip()]
    assert plain.err.startswith("karl: ")
    debug = spawn("--debug", "search", "nots", "who", cwd=project.folder)
    assert debug.code == 2
    assert "Traceback (most recent call last)" in debug.err
    assert debug.err.strip().endswith(plain.err.strip())

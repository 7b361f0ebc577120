"""Where traces go: a collector that answers over HTTP, the OTEL_* variables, the host's provider, or nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from karl import telemetry
from karl.settings import load_settings
from karl.telemetry import TelemetrySettings, open_telemetry
from store.errors import UsageError
from tests.graphs.test_telemetry import rollout
from tests.karl.kit import environment


class Collector(HTTPServer):
    """An OTLP collector: keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportTraceServiceRequest] = []
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def names(self) -> list[str]:
        spans = [
            s for r in self.requests for resource in r.resource_spans for c in resource.scope_spans for s in c.spans
        ]
        return sorted(span.name for span in spans)

    def service(self) -> str:
        attributes = self.requests[0].resource_spans[0].resource.attributes
        return next(a.value.string_value for a in attributes if a.key == "service.name")


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        import gzip

        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.server.seen.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return None


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "KARL_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def flush(settings: TelemetrySettings) -> None:
    assert telemetry._provider(settings.model_dump_json()).force_flush(5_000)


SPANS = ["chat karl-tiny"] * 3 + ["execute_tool add", "execute_tool search", "execute_tool search"]


def test_a_collector_of_the_settings(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "karl.toml").write_text(f'[telemetry]\nendpoint = "{collector.url}"\nheaders = {{ key = "s3cret" }}\n')
    settings = load_settings().telemetry
    assert settings is not None and "s3cret" not in repr(settings)
    trace = open_telemetry(settings)
    assert trace is not None
    trace(rollout())
    flush(settings)
    assert collector.names() == [*SPANS, "invoke_agent solver"]
    path, headers = collector.seen[0]
    assert (path, headers["key"], collector.service()) == ("/v1/traces", "s3cret", "karl")
    assert b"falcon" not in collector.requests[0].SerializeToString()


def test_the_standard_variables(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    telemetry._provider.cache_clear()
    trace = open_telemetry(None)
    assert trace is not None
    trace(rollout())
    flush(TelemetrySettings())
    telemetry._provider.cache_clear()
    assert collector.service() == "mine" and b"falcon" in collector.requests[0].SerializeToString()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert open_telemetry(None) is None
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    assert open_telemetry(None) is not None
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_telemetry(TelemetrySettings()) is None


IN_A_HOST = """
import sys
from karl.telemetry import open_telemetry
assert open_telemetry(None) is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
assert open_telemetry(None) is None
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from tests.graphs.test_telemetry import rollout
open_telemetry(None)(rollout())
print(len(exporter.get_finished_spans()))
"""


def test_a_host_program_with_a_provider_of_its_own() -> None:
    kept = {name: value for name, value in environment().items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", IN_A_HOST], env=kept, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("7", 0), done.stderr


def test_an_unreachable_collector_costs_no_rollout(caplog: pytest.LogCaptureFixture) -> None:
    settings = TelemetrySettings(endpoint="http://127.0.0.1:9")
    trace = open_telemetry(settings)
    assert trace is not None
    trace(rollout())
    telemetry._provider(settings.model_dump_json()).shutdown()


def test_wrong_keys_and_missing_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "karl.toml").write_text("[telemetry]\nendpiont = 'x'\n")
    with pytest.raises(UsageError, match=r"unknown key 'telemetry\.endpiont'; did you mean 'endpoint'"):
        load_settings()
    (tmp_path / "karl.toml").write_text("[telemetry]\nheaders = { key = 5 }\n")
    with pytest.raises(UsageError, match=r"key 'telemetry\.headers\.key': Input should be a valid string$"):
        load_settings()
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UsageError, match=r"pip install 'karl-agents\[otel\]'"):
        open_telemetry(TelemetrySettings())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    assert open_telemetry(None) is None
    assert "rollouts are not traced although OTEL_" in str(recwarn.pop().message)

"""Where finished rollouts are traced to: `[telemetry]` in karl.toml, the OTEL_* variables, or the host's own provider.

Nothing of OpenTelemetry is imported unless one of these asks for it.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from store.errors import UsageError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from graphs.telemetry import RolloutSpans

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SCOPE = "karl"
EXPORTERS = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}


class TelemetrySettings(BaseModel, frozen=True, extra="forbid"):
    """`[telemetry]`: an OTLP collector. What is not given here is taken from the OTEL_* variables."""

    endpoint: str = Field(
        default="", description="such as http://127.0.0.1:4318; /v1/traces is added where it is missing"
    )
    protocol: Literal["http/protobuf", "grpc"] = Field(
        default="http/protobuf", description="grpc needs its own exporter"
    )
    headers: dict[str, str] = Field(default_factory=dict, repr=False, description="sent along: a collector's key, say")
    capture_content: bool = Field(default=False, description="questions, turns, tool arguments and answers go along")


def open_telemetry(settings: TelemetrySettings | None) -> RolloutSpans | None:
    """What to call with every finished rollout, or None where nobody asked for traces.

    Raises: UsageError when `[telemetry]` is there and the extra is not.
    """
    if _true("OTEL_SDK_DISABLED"):
        return None
    if settings is not None:
        _require_extra(settings)
        return _spans(_provider(settings.model_dump_json()), settings.capture_content or _true(CAPTURE))
    if _environment_asks():
        return _from_environment()
    host = _host_provider()
    return None if host is None else _spans(host, _true(CAPTURE))


def _from_environment() -> RolloutSpans | None:
    protocol: Any = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    settings = TelemetrySettings(protocol="grpc" if protocol == "grpc" else "http/protobuf")
    try:
        _require_extra(settings)
    except UsageError as exc:
        # The variables may be meant for another program: work goes on, but it is said.
        warnings.warn(f"rollouts are not traced although OTEL_* variables ask for it: {exc}", stacklevel=2)
        return None
    return _spans(_provider(settings.model_dump_json()), _true(CAPTURE))


def _spans(provider: Any, capture_content: bool) -> RolloutSpans:
    from graphs.telemetry import RolloutSpans

    return RolloutSpans(provider.get_tracer(SCOPE, version("karl-agents")), capture_content=capture_content)


@lru_cache(maxsize=8)
def _provider(settings_json: str) -> TracerProvider:
    """One per process and settings; what is left in its queue is sent when the process ends."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    ours = Resource({SERVICE_NAME: SCOPE, SERVICE_VERSION: version("karl-agents")})
    resource = Resource.create()  # what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say
    unnamed = str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    provider = TracerProvider(resource=resource.merge(ours) if unnamed else ours.merge(resource))
    # Some hundred rollouts may end in one moment with a hundred spans each: the default queue of 2,048 would drop some.
    queue = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or 65_536)
    exporter = _exporter(TelemetrySettings.model_validate_json(settings_json))
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=queue))
    return provider


def _exporter(settings: TelemetrySettings) -> SpanExporter:
    grpc = settings.protocol == "grpc"
    endpoint = settings.endpoint if grpc or not settings.endpoint else _traces_url(settings.endpoint)
    # What is left out the exporter takes from the OTEL_* variables.
    given = {name: value for name, value in (("endpoint", endpoint), ("headers", settings.headers)) if value}
    return importlib.import_module(EXPORTERS[settings.protocol]).OTLPSpanExporter(**given)


def _traces_url(endpoint: str) -> str:
    base = endpoint.rstrip("/")
    return base if base.endswith("/v1/traces") else f"{base}/v1/traces"


def _environment_asks() -> bool:
    exporters = {name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()}
    return "otlp" in exporters or (not exporters and any(os.environ.get(name) for name in ENDPOINTS))


def _host_provider() -> Any:
    """The tracer provider that the program around us has set, if it has set one."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import get_tracer_provider

    provider = get_tracer_provider()
    return provider if isinstance(provider, TracerProvider) else None


def _require_extra(settings: TelemetrySettings) -> None:
    package = "opentelemetry-exporter-otlp-proto-grpc" if settings.protocol == "grpc" else "karl-agents[otel]"
    try:
        for module in ("opentelemetry.sdk.trace", EXPORTERS[settings.protocol]):
            importlib.import_module(module)
    except ImportError as exc:
        raise UsageError(f"telemetry over {settings.protocol} needs a package: pip install '{package}'") from exc


def _true(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("true", "span_only", "span_and_event")

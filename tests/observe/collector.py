"""A collector on loopback: takes OTLP over HTTP as any does, and keeps what came.

Used by tests/observe/test_otel.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.relay.stage import wait_until

Value = str | bool | int | float | tuple[object, ...]


@dataclass(frozen=True)
class Took:
    """One span."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    status: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]


@dataclass
class Collector:
    """What came while the context was open; `status` is what is answered."""

    status: int = 200
    bodies: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its endpoint."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def spans(self) -> list[Took]:
        """All spans."""
        return [
            _took(span)
            for body in self._of("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_spans(self, count: int) -> list[Took]:
        """All of them, once there are so many."""
        wait_until(lambda: len(self.spans()) >= count, f"{count} spans")
        return self.spans()

    def resources(self) -> list[dict[str, Value]]:
        """Who sent."""
        return [
            _values(resource.resource.attributes)
            for body in self._of("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def metrics(self) -> dict[str, Metric]:
        """The newest of each name."""
        return {
            metric.name: metric
            for body in self._of("/v1/metrics")
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[tuple[dict[str, Value], HistogramDataPoint]]:
        """Labels and figures of a histogram."""
        return [(_values(point.attributes), point) for point in self.metrics()[name].histogram.data_points]

    def counts(self, name: str) -> list[tuple[dict[str, Value], NumberDataPoint]]:
        """Labels and figures of a counter."""
        return [(_values(point.attributes), point) for point in self.metrics()[name].sum.data_points]

    def _of(self, path: str) -> Iterator[bytes]:
        return (body for came, _, body in list(self.bodies) if came == path)

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.bodies.append((self.path, dict(self.headers.items()), body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


def _took(span: Span) -> Took:
    return Took(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        status=span.status.code,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_values(span.attributes),
    )


def _values(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Value:
    if value.WhichOneof("value") == "array_value":
        return tuple(_value(one) for one in value.array_value.values)
    found: Value = getattr(value, str(value.WhichOneof("value")))
    return found

"""The thread's side of OpenTelemetry: makes spans and metrics of what was told, and sends them.

The SDK's parts are used without its threads and globals: everything happens in the
thread of observe/otel/feed, one batch after the other. A collector that does not take
them is told of once, and again when it is back; what it did not take is gone.
Source: OTLP 1.x over HTTP, https://opentelemetry.io/docs/specs/otlp/ (read 2026-11-27).
"""

import logging
import time
from collections.abc import Iterable

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from clearway import __version__
from clearway.config.model import Otel
from clearway.core.exchange import Finished, Tried
from clearway.observe.otel.attributes import (
    client_attributes,
    client_error,
    client_name,
    server_attributes,
    server_error,
    server_name,
)
from clearway.observe.otel.instruments import Instruments
from clearway.observe.otel.names import SPELLINGS

log = structlog.get_logger()

_TIMEOUT_S = 5.0
_NS_PER_US = 1_000
_CHATTY = ("opentelemetry", "urllib3")
"""They would say the same again and again, each in its own way."""


class Sender:
    """Sends to one collector.

    Args:
        settings: Where, and in which spelling.
        instance_id: This process.
        models: As in `Tally`.
    """

    def __init__(self, settings: Otel, instance_id: str, models: Iterable[str]) -> None:
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        resource = Resource(
            {"service.name": settings.service, "service.version": __version__, "service.instance.id": instance_id}
        )
        self._words = SPELLINGS[settings.semconv]
        self._every_s = settings.metrics_every_s
        self._sent_at = time.monotonic()
        self._finished = _Finished()
        sampler = ParentBased(TraceIdRatioBased(settings.sample))
        tracers = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        tracers.add_span_processor(self._finished)
        self._tracer = tracers.get_tracer("clearway", __version__)
        self._reader = InMemoryMetricReader()
        # No exemplars: metrics tell of many exchanges, spans of one.
        meters = MeterProvider([self._reader], resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        self._instruments = Instruments(meters.get_meter("clearway", __version__), self._words, models)
        base = settings.endpoint.rstrip("/")
        self._spans = OTLPSpanExporter(f"{base}/v1/traces", timeout=_TIMEOUT_S, session=_session())
        self._metrics = OTLPMetricExporter(f"{base}/v1/metrics", timeout=_TIMEOUT_S, session=_session())
        self._news = {signal: _News(settings.endpoint, signal) for signal in ("traces", "metrics")}

    def send(self, batch: Iterable[Finished]) -> None:
        """Spans and figures of exchanges that are over."""
        for told in batch:
            self._trace(told)
            self._instruments.add(told)
            # Whoever relays needs the interpreter sooner than it would take it from us.
            time.sleep(0)
        spans = self._finished.take()
        if spans:
            self._news["traces"].hear(is_well=self._spans.export(spans) is SpanExportResult.SUCCESS)

    def send_metrics(self, *, is_last: bool) -> None:
        """The figures, where it is time."""
        now = time.monotonic()
        if not is_last and now - self._sent_at < self._every_s:
            return
        self._sent_at = now
        data = self._reader.get_metrics_data()
        if data is not None:
            self._news["metrics"].hear(is_well=self._metrics.export(data) is MetricExportResult.SUCCESS)

    def close(self) -> None:
        """Let go of the connections."""
        self._spans.shutdown()  # type: ignore[no-untyped-call]  # the library's
        self._metrics.shutdown()

    give_up = close

    def _trace(self, told: Finished) -> None:
        admission, settlement = told.admission, told.settlement
        span = self._tracer.start_span(
            server_name(admission),
            context=_parent(admission.trace_parent),
            kind=SpanKind.SERVER,
            start_time=admission.admitted_us * _NS_PER_US,
            attributes=server_attributes(told, self._words),
        )
        inside = set_span_in_context(span, Context())
        for tried in told.tries:
            self._trace_try(told, tried, inside)
        if server_error(settlement) is not None:
            span.set_status(Status(StatusCode.ERROR))
        # Durations are of the monotonic clock: a clock that was set makes none negative.
        span.end((admission.admitted_us + (settlement.measure.total_us or 0)) * _NS_PER_US)

    def _trace_try(self, told: Finished, tried: Tried, inside: Context) -> None:
        span = self._tracer.start_span(
            client_name(told.admission, tried),
            context=inside,
            kind=SpanKind.CLIENT,
            start_time=tried.start.started_us * _NS_PER_US,
            attributes=client_attributes(told, tried, self._words),
        )
        if client_error(tried.end) is not None:
            span.set_status(Status(StatusCode.ERROR))
        span.end((tried.start.started_us + (tried.end.measure.total_us or 0)) * _NS_PER_US)


class _Finished(SpanProcessor):
    """Keeps finished spans until they are taken."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """One more, where it is sampled."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        """All of them."""
        spans, self._spans = self._spans, []
        return spans


class _News:
    """Says once that a collector does not take what is sent, and once that it does again."""

    def __init__(self, endpoint: str, signal: str) -> None:
        self._endpoint = endpoint
        self._signal = signal
        self._is_well = True

    def hear(self, *, is_well: bool) -> None:
        """How it went."""
        if is_well != self._is_well:
            self._is_well = is_well
            tell = log.info if is_well else log.warning
            tell("otel_recovered" if is_well else "otel_not_taken", endpoint=self._endpoint, signal=self._signal)


def _session() -> requests.Session:
    session = requests.Session()
    # No proxies, and no credentials of `.netrc`: only what the settings say.
    session.trust_env = False
    return session


def _parent(trace_parent: str | None) -> Context:
    """The client's span, where it named one in a form that was checked (gateway/labels)."""
    if trace_parent is None:
        return Context()
    _, trace_id, span_id, flags = trace_parent.split("-")
    context = SpanContext(
        trace_id=int(trace_id, 16), span_id=int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(context), Context())

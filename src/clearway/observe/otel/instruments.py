"""The metrics of OpenTelemetry: the conventions' histograms, of attempts and of exchanges.

Owns their labels and bounds: models that nobody has answered by are `other`, as in
observe/tally. Used by observe/otel/sender, in its thread.
"""

from collections.abc import Iterable

from opentelemetry.metrics import Histogram, Meter

from clearway.core.exchange import Finished, Tried
from clearway.observe.bounded import Bounded
from clearway.observe.cells import DURATION_US, FIRST_TOKEN_US
from clearway.observe.otel import names
from clearway.observe.otel.attributes import Attributes, client_error, provider, server_error
from clearway.observe.otel.names import Names

_MODELS = 100
_ERRORS = 64
_US = 1_000_000
_DURATIONS = [bound_us / _US for bound_us in DURATION_US]
_FIRST_TOKENS = [bound_us / _US for bound_us in FIRST_TOKEN_US]


class Instruments:
    """Adds up.

    Args:
        meter: Makes the instruments.
        words: The spelling.
        models: As in `Tally`.
    """

    def __init__(self, meter: Meter, words: Names, models: Iterable[str]) -> None:
        self._words = words
        self._models = Bounded(_MODELS, models)
        self._errors = Bounded(_ERRORS)

        def seconds(name: str, bounds: list[float], what: str) -> Histogram:
            return meter.create_histogram(name, "s", what, explicit_bucket_boundaries_advisory=bounds)

        self._tokens = meter.create_histogram(
            names.CLIENT_TOKENS,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKEN_BOUNDS,
        )
        self._tries = seconds(names.CLIENT_DURATION, _DURATIONS, "GenAI operation duration.")
        self._exchanges = seconds(names.SERVER_DURATION, _DURATIONS, "Duration of a request, to its last byte.")
        self._first_tokens = seconds(names.SERVER_FIRST_TOKEN, _FIRST_TOKENS, "Time to the first token.")
        self._first_chunks = (
            seconds(words.client_first_chunk, _DURATIONS, "Time to receive the first chunk.")
            if words.client_first_chunk
            else None
        )
        self._cost = meter.create_counter(names.COST, "n{USD}", "Money really billed, in nano-dollars.")

    def add(self, told: Finished) -> None:
        """One exchange; only messages are operations of a model."""
        if told.admission.endpoint != "messages":
            return
        for tried in told.tries:
            self._add_try(told, tried)
        settlement = told.settlement
        last = told.tries[-1].start.kind if told.tries else "none"
        measure = settlement.measure
        labels = self._labels(last, told.admission.request_model, measure.response_model)
        total_us = measure.total_us or 0
        self._exchanges.record(total_us / _US, self._with_error(labels, server_error(settlement)))
        if measure.first_token_us is not None:
            self._first_tokens.record(measure.first_token_us / _US, labels)

    def _add_try(self, told: Finished, tried: Tried) -> None:
        measure = tried.end.measure
        labels = self._labels(tried.start.kind, tried.start.model, measure.response_model)
        self._tries.record((measure.total_us or 0) / _US, self._with_error(labels, client_error(tried.end)))
        if self._first_chunks is not None and told.admission.stream and measure.first_byte_us is not None:
            self._first_chunks.record(measure.first_byte_us / _US, labels)
        if measure.usage is not None:
            self._tokens.record(measure.usage.prompt_tokens, {**labels, names.TOKEN_TYPE: "input"})
            self._tokens.record(measure.usage.output_tokens, {**labels, names.TOKEN_TYPE: "output"})
        if measure.cost is not None and measure.cost.cost_nano is not None:
            self._cost.add(measure.cost.cost_nano, labels)

    def _labels(self, kind: str, asked: str | None, answered: str | None) -> Attributes:
        response = self._models.learn(answered)
        request = self._models.find(asked)
        labels = {names.OPERATION: names.CHAT, self._words.provider: provider(kind)}
        labels |= {names.REQUEST_MODEL: request} if request else {}
        return labels | ({names.RESPONSE_MODEL: response} if response else {})

    def _with_error(self, labels: Attributes, error: str | None) -> Attributes:
        return labels if error is None else {**labels, names.ERROR_TYPE: self._errors.learn(error)}

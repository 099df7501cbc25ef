"""Counters and histograms for the event loop alone: a look-up and an addition, without the library's locks.

They are read at a scrape, on the same loop. Whoever counts from another thread needs the library's own.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        self.value += amount


class Spread:
    """One series of a histogram."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class CounterSeries(Collector):
    """A counter, by label values; they may be enums of strings."""

    def __init__(self, name: str, text: str, labels: Iterable[str]) -> None:
        self._about = (name, text, list(labels))
        self._series: dict[tuple[str, ...], Count] = {}

    def __call__(self, *labels: str) -> Count:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Count()
        return series

    def collect(self) -> Iterable[Metric]:
        name, text, labels = self._about
        family = CounterMetricFamily(name, text, labels=labels)
        for values, series in self._series.items():
            family.add_metric([str(value) for value in values], series.value)
        yield family


class HistogramSeries(Collector):
    """A histogram, by label values; they may be enums of strings."""

    def __init__(self, name: str, text: str, labels: Iterable[str], bounds: Iterable[float]) -> None:
        self._about = (name, text, list(labels))
        self._bounds = tuple(bounds)
        self._series: dict[tuple[str, ...], Spread] = {}

    def __call__(self, *labels: str) -> Spread:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Spread(self._bounds)
        return series

    def collect(self) -> Iterable[Metric]:
        name, text, labels = self._about
        family = HistogramMetricFamily(name, text, labels=labels)
        for values, series in self._series.items():
            family.add_metric([str(value) for value in values], self._buckets(series), series.sum)
        yield family

    def _buckets(self, series: Spread) -> list[tuple[str, float]]:
        buckets, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), series.counts, strict=True):
            total += count
            buckets.append((floatToGoString(bound), float(total)))  # type: ignore[no-untyped-call]
        return buckets

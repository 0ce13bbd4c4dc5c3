"""A warehouse that does not wait: pauses pass at once, on a clock of their own."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dicom_pipeline.warehouse.doris.load_state import Pace
from dicom_pipeline.warehouse.doris.stream_load import StreamLoader
from dicom_pipeline.warehouse.doris.url import parse_doris_url
from dicom_pipeline.warehouse.doris.warehouse import DorisWarehouse
from dicom_pipeline.warehouse.url import split_url


@dataclass
class QuickTime:
    """Time that passes only when somebody sleeps; ``also`` is told of each pause."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)
    also: Callable[[float], None] = lambda seconds: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        self.also(seconds)

    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: 0.5, until_body=1.0)


def open_quick(url: str, pace: Pace | None = None, **options: bool) -> DorisWarehouse:
    """Return a warehouse whose loads are tried again without waiting, or at that pace."""
    opened = DorisWarehouse(parse_doris_url(split_url(url)[1]), **options)
    opened._loader = StreamLoader(opened._url, opened._backends, pace or QuickTime().pace())
    return opened

"""Calls at once, each on a thread of its own."""

import threading
from collections.abc import Callable

_SECONDS = 120


def in_parallel(*calls: Callable[[], object]) -> list[BaseException | None]:
    """Return what each call raised, in their order."""
    outcomes: list[BaseException | None] = [None] * len(calls)
    together = threading.Barrier(len(calls))

    def run(place: int) -> None:
        try:
            together.wait(_SECONDS)
            calls[place]()
        except BaseException as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SECONDS)
        assert not thread.is_alive()
    return outcomes

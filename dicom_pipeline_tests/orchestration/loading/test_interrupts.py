import signal

import pytest

from dicom_pipeline.orchestration.loading.interrupts import Interrupts


def test_an_interrupt_that_its_handler_lost_is_heeded() -> None:
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with Interrupts() as interrupts:
            interrupts.heed()
            signal.raise_signal(signal.SIGINT)
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    interrupts.heed()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_signals_are_none() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGUSR1)
            interrupts.heed()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_was_told_of_signals_before_is_told_again_afterwards() -> None:
    with Interrupts():
        pass
    assert signal.set_wakeup_fd(-1) == -1

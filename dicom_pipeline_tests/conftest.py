"""What all tests share: the corpus, a fast place for temporary files, and how thorough hypothesis may be."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("thorough", max_examples=100 * settings.default.max_examples)

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C be heard, and put temporary files into memory where there is plenty.

    A shell's background jobs ignore SIGINT and hand that down to every process they start, so that tests of interrupts
    would wait for ever. Hundreds of databases, for their part, would wait for the disk.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.basetemp is not None or not os.access(_MEMORY, os.W_OK):
        return
    free = os.statvfs(_MEMORY)
    if free.f_bavail * free.f_frsize >= _ENOUGH_BYTES:
        config.option.basetemp = tempfile.mkdtemp(prefix="dicom-pipeline-tests-", dir=_MEMORY)
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))

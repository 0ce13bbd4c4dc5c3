import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_pipeline.errors import ConfigurationError
from dicom_pipeline.orchestration.instance.desk import run_ui
from dicom_pipeline.settings import Settings
from dicom_pipeline_tests.orchestration.running_desk import END_SECONDS, Desk


def _listening_addresses(port: int) -> set[str]:
    """The local addresses on which anybody on this machine listens at the port, as the kernel writes them."""
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else []:
            _, local, _, state, *_ = line.split()
            address, _, local_port = local.partition(":")
            if state == "0A" and int(local_port, 16) == port:
                listening.add(address)
    return listening


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home", tmp_path / "log")
    yield desk
    desk.end()


def test_ui_answers_on_the_loopback_interface_only_and_an_interrupt_leaves_no_process(desk: Desk) -> None:
    desk.wait_until_loaded()
    assert _listening_addresses(desk.port) == {"0100007F"}
    assert len(desk.members()) > 3
    desk.process.send_signal(signal.SIGINT)
    assert desk.process.wait(END_SECONDS) == 130
    assert desk.members() == set()
    assert not _listening_addresses(desk.port)
    assert "Warning" not in desk.log.read_text()


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="--port"):
            run_ui(Settings(home=tmp_path / "home"), other.getsockname()[1])
    assert not (tmp_path / "home").exists()

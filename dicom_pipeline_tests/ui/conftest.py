"""A real browser before a real ``dicom-pipeline ui`` on loaded archives: pydicom's sample, and one of the last days.

Run by ``make test-ui``. With ``UI_IMAGES`` set, pictures for the documentation are written to that directory.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from dicom_pipeline.dicom.sample import lay_out_sample
from dicom_pipeline.warehouse.embedded import EmbeddedPostgres
from dicom_pipeline_tests.orchestration.running_desk import Desk
from dicom_pipeline_tests.orchestration.small_archive import SmallArchive
from dicom_pipeline_tests.ui.loaded import LOADED_UNTIL, RECENT_DAYS, Loaded
from dicom_pipeline_tests.warehouse.conftest import Database

_WAIT_MILLISECONDS = 30_000
_VIEW = {"width": 1360, "height": 850}
_CHROMIUM_OPTIONS = [
    "--no-sandbox",  # which root may not have; only pages of this machine are opened
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """The sample until the end of 2016 as tenant ``default``, and made files of the last days as ``recent``."""
    place = tmp_path_factory.mktemp("ui")
    lay_out_sample(place / "sample", "default")
    _fill_recent(SmallArchive(place / "recent"))
    home = place / "home"
    server = EmbeddedPostgres(home)
    try:
        _load(home, place / "sample/default", "--to", LOADED_UNTIL)
        _load(home, place / "recent", "--tenant", "recent")
        yield Loaded(home, Database(server.start()))
    finally:
        server.stop()


def _fill_recent(archive: SmallArchive) -> None:
    """Write days of different numbers of files, some with notes that are no DICOM, every third with a bad file."""
    for number, date in enumerate(RECENT_DAYS):
        archive.fill([date], instances=3 + number * 7 % 5)
        for note in range(number % 4):
            (archive.root / f"{date:%Y%m%d}" / f"note{note}.txt").write_text("a note")
        if number % 3 == 0:
            archive.add(date, "bad.dcm", SOPInstanceUID=None)


def _load(home: Path, archive: Path, *options: str) -> None:
    command = [sys.executable, "-c", "from dicom_pipeline.cli import main; main()", "load", str(archive), *options]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DICOM_PIPELINE_", "DAGSTER_"))}
    done = subprocess.run(
        [*command, "--home", str(home), "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def desk(loaded: Loaded) -> Iterator[Desk]:
    """Web server and daemon on what was loaded."""
    desk = Desk(loaded.home, loaded.home.parent / "desk.log")
    try:
        desk.wait_until_loaded()
        yield desk
    finally:
        desk.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "Chromium is missing: apt-get install chromium, or name one in CHROMIUM"
    expect.set_options(timeout=_WAIT_MILLISECONDS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=_CHROMIUM_OPTIONS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, desk: Desk) -> Iterator[Page]:
    """A page whose addresses begin at the UI; it may ask nobody but this machine."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).hostname not in {"127.0.0.1", None}:
            asked.append(request.url)

    context = browser.new_context(base_url=f"http://127.0.0.1:{desk.port}", viewport=_VIEW, timezone_id="UTC")
    context.set_default_timeout(_WAIT_MILLISECONDS)
    context.on("request", note)
    yield context.new_page()
    context.close()
    assert asked == []


@pytest.fixture
def picture(page: Page) -> Callable[[str], None]:
    """Return a function that keeps what the page shows for the documentation, if that was asked for."""
    directory = os.environ.get("UI_IMAGES")

    def keep(name: str) -> None:
        if directory:
            page.mouse.move(0, 0)
            page.screenshot(path=Path(directory) / f"{name}.png", animations="disabled")

    return keep

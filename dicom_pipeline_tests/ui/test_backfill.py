"""A backfill that a person launches in the UI, through the daemon, to rows in the database."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from dicom_pipeline_tests.ui.loaded import Loaded

_BACKFILL_MILLISECONDS = 120_000
_ROWS = "select count(*) from dicom_image_meta where tenant_id = 'default' and study_date = '2017-01-01'"
_LEDGER = (
    "select partition_date::text, files_accepted from dicom_load"
    " where tenant_id = 'default' and partition_date > '2016-12-31' order by 1"
)


def test_a_backfill_launched_in_the_browser_loads_its_dates(
    page: Page, loaded: Loaded, picture: Callable[[str], None]
) -> None:
    assert loaded.database.query(_ROWS) == [(0,)]
    page.goto("/locations/dicom_pipeline.definitions/jobs/load_default/partitions")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    dates = dialog.get_by_role("textbox").first
    dates.fill("[2017-01-01...2017-01-02]")
    dates.press("Enter")
    expect(dialog.get_by_text("2 partitions")).to_be_visible()
    picture("backfill")
    dialog.get_by_role("button", name="Launch backfill").click()
    page.get_by_text("View", exact=True).click()
    expect(page.get_by_text("100% completed")).to_be_visible(timeout=_BACKFILL_MILLISECONDS)
    assert loaded.database.query(_ROWS) == [(12,)]
    assert loaded.database.query(_LEDGER) == [("2017-01-01", 12), ("2017-01-02", 0)]
    page.goto("/assets/default/dicom_image_meta?view=checks&checkDetail=warehouse_matches_staging")
    page.locator("button[role=tab]").get_by_text("Partitions").click()
    expect(page.get_by_text(f"Passed ({loaded.dates('default')})")).to_be_visible()

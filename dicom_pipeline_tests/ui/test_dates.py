"""What the UI knows of a date: whether it is loaded, what was counted, what checks found, why files were refused."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from dicom_pipeline.dicom.reasons import REASONS, Reason
from dicom_pipeline_tests.ui.loaded import RECENT_DAYS, Loaded

_COLOURED_PIXELS = """canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const rgb = data.slice(i, i + 3);
    if (data[i + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 80) coloured++;
  }
  return coloured;
}"""


def test_the_calendar_tells_loaded_dates_from_missing_ones(
    page: Page, loaded: Loaded, picture: Callable[[str], None]
) -> None:
    page.goto("/assets/default/dicom_image_meta?view=partitions")
    expect(page.get_by_text(f"Materialized ({loaded.dates('default')})")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    dates = page.get_by_placeholder("Filter by name…")
    dates.fill("2003-05-0")
    page.get_by_text("2003-05-05", exact=True).first.click()
    expect(_metadata(page, "inserted")).to_contain_text("17")
    expect(_metadata(page, "updated")).to_contain_text("0")
    expect(_metadata(page, "deleted")).to_contain_text("0")
    picture("partitions")
    page.get_by_text("2003-05-06", exact=True).first.click()
    expect(page.get_by_text("No metadata entries")).to_be_visible()


@pytest.mark.parametrize(
    ("asset", "plots"),
    [
        ("dicom_metadata", ["files", "rejected/NotDicom", "rejected/MissingRequiredField", "files_per_second"]),
        ("dicom_image_meta", ["rows", "inserted", "updated", "deleted"]),
    ],
)
def test_counts_are_drawn_over_dates(page: Page, asset: str, plots: list[str], picture: Callable[[str], None]) -> None:
    page.goto(f"/assets/recent/{asset}?view=overview")
    page.get_by_role("button", name="Plots").click()
    for name in plots:
        drawn = _plot(page, name)
        drawn.scroll_into_view_if_needed()
        assert drawn.evaluate(_COLOURED_PIXELS) > 50, name
    if asset == "dicom_metadata":
        picture("plots")


def test_each_date_has_its_own_check_results(page: Page, picture: Callable[[str], None]) -> None:
    page.goto("/assets/recent/dicom_metadata?view=checks&checkDetail=rejected_share_below_limit")
    page.locator("button[role=tab]").get_by_text("Partitions").click()
    bad = RECENT_DAYS[::3]
    expect(page.get_by_text(f"Failed ({len(bad)})")).to_be_visible()
    expect(page.get_by_text(f"Passed ({len(RECENT_DAYS) - len(bad)})")).to_be_visible()
    page.get_by_placeholder("Filter by partition…").fill(bad[-1].isoformat())
    page.get_by_text(bad[-1].isoformat(), exact=True).first.click()
    picture("checks")
    page.locator("button[role=tab]").get_by_text("Execution history").click()
    for date in RECENT_DAYS[-5:]:
        expect(page.get_by_text(date.isoformat(), exact=True).first).to_be_visible()


def test_a_reason_leads_to_what_it_means(page: Page, loaded: Loaded, picture: Callable[[str], None]) -> None:
    page.goto("/assets/default/dicom_metadata?view=partitions&partition=1970-01-01")
    counted = "select reason, count(*) from dicom_reject where partition_date = '1970-01-01' and tenant_id = 'default'"
    reasons = loaded.database.query(f"{counted} group by 1")
    assert len(reasons) > 2
    for reason, files in reasons:
        expect(_metadata(page, f"rejected/{reason}")).to_contain_text(str(files))
        expect(page.get_by_role("listitem").filter(has=page.get_by_role("link", name=reason))).to_contain_text(
            f"{reason}: {files}"
        )
    picture("reasons")
    page.get_by_role("link", name="NotDicom").click()
    page.get_by_role("button", name="Show more").click()
    row = page.get_by_role("row").filter(has=page.get_by_text("NotDicom", exact=True))
    expect(row).to_contain_text(REASONS[Reason.NOT_DICOM].meaning)
    expect(row).to_contain_text(REASONS[Reason.NOT_DICOM].remedy)


def _metadata(page: Page, key: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_text(key, exact=True))


def _plot(page: Page, name: str) -> Locator:
    """The canvas under the heading of that name."""
    heading = page.get_by_text(name, exact=True)
    return page.locator("div").filter(has=heading).filter(has=page.locator("canvas")).last.locator("canvas")

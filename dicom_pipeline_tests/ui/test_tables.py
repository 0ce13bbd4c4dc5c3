"""The tables as the UI describes them: where they come from, and what their columns are."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from dicom_pipeline.dicom.fields import IMAGE
from dicom_pipeline.orchestration.metadata import table_columns


def test_lineage_leads_from_the_files_to_the_tables(page: Page, picture: Callable[[str], None]) -> None:
    page.goto("/locations/dicom_pipeline.definitions/asset-groups/default/lineage")
    for name in ("archive_files", "dicom_metadata", "dicom_image_meta", "dicom_state_meta", "dicom_reject"):
        expect(page.get_by_text(name, exact=True).last).to_be_visible()
    expect(page.get_by_text("archive_overview", exact=True).last).to_be_visible()
    expect(page.get_by_text("1 / 1 Passed").first).to_be_visible()
    picture("lineage")
    page.goto("/assets/default/dicom_metadata?view=overview")
    neighbours = [f"default / {n}" for n in ("archive_files", "dicom_image_meta", "dicom_reject", "dicom_state_meta")]
    for neighbour in neighbours:
        expect(page.get_by_role("link", name=neighbour)).to_be_visible()


def test_columns_have_type_meaning_tag_and_privacy(page: Page, picture: Callable[[str], None]) -> None:
    page.goto("/assets/default/dicom_image_meta?view=overview")
    for column in table_columns(IMAGE).columns:
        row = page.get_by_role("row").filter(has=page.get_by_text(column.name, exact=True))
        expect(row).to_contain_text(column.type)
        expect(row).to_contain_text(column.description or "no description")
        expect(row).to_contain_text(f"phi: {column.tags['phi']}")
    patient = page.get_by_role("row").filter(has=page.get_by_text("patient_id", exact=True))
    expect(patient).to_contain_text("Patient ID - (0010,0020) PatientID LO")
    expect(patient).to_contain_text("non-nullable")
    page.get_by_text("study_date", exact=True).scroll_into_view_if_needed()
    picture("columns")

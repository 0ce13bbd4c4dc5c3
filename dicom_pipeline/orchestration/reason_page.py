"""Where a person who sees a reason in Dagster's UI reads what it means.

Scope: the link from a reason to its text, and the text where the documentation is not published anywhere: the network
of a hospital is often closed, so by default the link leads to the asset of refused files, which tells what
``docs/reasons.md`` does.
"""

import os
from urllib.parse import quote

from dicom_pipeline.dicom.fields import REJECT
from dicom_pipeline.dicom.reasons import REASONS, Reason

PAGE_VARIABLE = "DICOM_PIPELINE_REASONS_PAGE"
"""Names the address under which ``docs/reasons.md`` is published, if it is."""


def reason_link(reason: Reason, tenant: str) -> str:
    """Return the address of what is said about the reason: an absolute one, or a path of the UI."""
    page = os.environ.get(PAGE_VARIABLE, "")
    if page:
        return f"{page}#{anchor_of(reason)}"
    return f"/assets/{quote(tenant)}/{REJECT.name}?view=overview"


def anchor_of(reason: Reason) -> str:
    """Return the name of the reason's place in ``docs/reasons.md``."""
    return reason.value.lower()


def links(counts: dict[Reason, int], tenant: str) -> str:
    """Return a line of Markdown for each reason, linked to what it means; none that did not occur."""
    return "\n".join(
        f"- [{reason.value}]({reason_link(reason, tenant)}): {files}" for reason, files in counts.items() if files
    )


def table_of_reasons() -> str:
    """Return a table of all reasons a file can be refused for, in Markdown."""
    rows = [f"| {reason.value} | {info.meaning} | {info.remedy} |" for reason, info in REASONS.items() if info.rejects]
    return "\n".join(["| reason | what was found | what to do |", "| --- | --- | --- |", *rows])

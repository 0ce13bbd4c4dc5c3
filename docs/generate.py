"""Write the pages of this folder that come from the code: ``make docs``.

Scope: Markdown made from the field table, the reasons and the catalogue of checks. A test compares the committed pages
with what this module makes, so that they cannot grow old.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dicom_pipeline.dicom.fields import ALL_TABLES, HEADER_FIELDS, Field, TableSpec
from dicom_pipeline.dicom.reasons import REASONS, ReasonInfo
from dicom_pipeline.quality.catalogue import CHECKS
from dicom_pipeline.tables.schemas import ARROW_TYPES, metadata_schema
from dicom_pipeline.warehouse.base import PARTITIONED
from dicom_pipeline.warehouse.doris import sql as doris
from dicom_pipeline.warehouse.postgres import ddl as postgres

FOLDER = Path(__file__).parent


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {"reasons.md": reasons_page(), "tables.md": tables_page(), "checks.md": checks_page()}


def reasons_page() -> str:
    """Return the page of reason codes."""
    rejecting = [(code.value, info) for code, info in REASONS.items() if info.rejects]
    findings = [(code.value, info) for code, info in REASONS.items() if not info.rejects]
    return _page(
        "Reasons",
        "dicom_pipeline/dicom/reasons.py",
        "Why a file was refused, or a value changed. The list is closed, and codes keep their names: query them.",
        "## Refused files",
        "The code stands in `dicom_reject.reason`; `dicom_reject.field` names the attribute where one was the reason. "
        "A *damaged* file counts in the share of rejects that the check `rejected_share_below_limit` watches; the "
        "others raise no alarm.",
        _table(("code", "what was found", "what to do", "damaged"), (_refusal(code, info) for code, info in rejecting)),
        "## Findings",
        "The code stands in `dicom_metadata.findings` and refuses no file by itself. With `--on-invalid-value null` "
        "the codes above for optional values appear there too, in place of a refusal.",
        _table(("code", "what was found", "what to do"), (_refusal(code, info)[:3] for code, info in findings)),
    )


def _refusal(code: str, info: ReasonInfo) -> tuple[str, ...]:
    # The UI's links lead to the name in lower case.
    return f'<a id="{code.lower()}"></a>`{code}`', info.meaning, info.remedy, _yes(info.damaged)


def tables_page() -> str:
    """Return the page of tables and columns."""
    return _page(
        "Tables",
        "dicom_pipeline/dicom/fields.py",
        "Every column of every table, in PostgreSQL's order; in Doris the columns of the key come first. Bounds count "
        "bytes of UTF-8. A tag stands where a value is read from the file's "
        "header; the rule says how. The last column but one says how a value relates to a patient, after the classes "
        "of PS3.15 Annex E.",
        *(_table_section(table) for table in ALL_TABLES),
        _staged_section(),
    )


def _table_section(table: TableSpec) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    partitions = f" Partitioned by month of `{table.date_column}`." if table in PARTITIONED else ""
    types = ("Arrow", "PostgreSQL", "Doris")
    head = ("column", *types, "bound", "null", "tag", "keyword", "VR", "rule", "privacy", "comment")
    columns = _table(head, (_column(field) for field in table.fields))
    return f"## {table.name}\n\n{table.comment}.\n\nKey: {key}.{partitions}\n\n{columns}"


def _column(field: Field) -> tuple[str, ...]:
    return (
        f"`{field.name}`",
        str(ARROW_TYPES[field.kind]),
        postgres.sql_type(field),
        doris.sql_type(field),
        "" if field.bound is None else str(field.bound),
        _yes(field.nullable),
        "" if field.tag is None else f"({field.tag >> 16:04X},{field.tag & 0xFFFF:04X})",
        field.keyword or "",
        field.vr or "",
        field.rule.value,
        field.phi.value,
        field.comment,
    )


def _staged_section() -> str:
    of_tables = {field.name for field in HEADER_FIELDS}
    own = [field for field in metadata_schema() if field.name not in of_tables]
    rows = (
        (f"`{f.name}`", str(f.type).replace("\n", " "), _yes(f.nullable), f.metadata[b"comment"].decode()) for f in own
    )
    return (
        "## dicom_metadata (staged)\n\nOne row a file, as Parquet; what `dicom-pipeline extract` writes too. Beside "
        "the columns below it has every column of `dicom_image_meta` and `dicom_state_meta` once, NULL where the file "
        "is rejected. Each column's metadata holds tag, VR, keyword, bound, privacy class and comment.\n\n"
        + _table(("column", "Arrow", "null", "comment"), rows)
    )


def checks_page() -> str:
    """Return the page of checks."""
    head = ("check", "severity", "blocks", "what holds when it passes", "what to do when it fails")
    sections = []
    for asset in dict.fromkeys(spec.asset for spec in CHECKS):
        rows = (
            (f"`{spec.name}`", spec.severity.value, _yes(spec.blocking), spec.description, spec.remedy)
            for spec in CHECKS
            if spec.asset == asset
        )
        sections.append(f"## {asset}\n\n{_table(head, rows)}")
    return _page(
        "Checks",
        "dicom_pipeline/quality/catalogue.py",
        "What is checked on each date, before the load (`dicom_metadata`) and after it (the tables); each date has its "
        "own results. What is checked over all dates is with `archive_overview`: the job `conflicts_<archive>` looks "
        "at every image; it ends every load of the whole archive, and can be run at any time. "
        "Results show counts, and hashes of at most 20 UIDs, never values. The hashes are those of the studies "
        "(`one_patient_per_study`, `study_of_one_patient`), of the instances (`sop_instance_uid_unique`) or of the "
        "series (all others) concerned: find the rows by `study_uid_hash` and `series_uid_hash`.",
        "A check that *blocks* keeps everything downstream of its asset from running when it fails with severity "
        "error.",
        *sections,
    )


def _page(title: str, source: str, *parts: str) -> str:
    note = f"<!-- Made from {source} by docs/generate.py: change it there and run `make docs`. -->"
    return "\n\n".join((f"# {title}", note, *parts)) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")

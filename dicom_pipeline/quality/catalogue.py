"""The checks there are: what each one promises, on which asset, how grave it is and what to do when it fails.

Scope: descriptions only. The rules behind them are in the other modules of this folder, Dagster's asset checks are
made from this list in ``orchestration/``, and ``docs/checks.md`` is generated from it. A check's name states what
holds when it passes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Asset: TypeAlias = Literal["dicom_metadata", "dicom_image_meta", "dicom_state_meta", "dicom_reject", "archive_overview"]


class Severity(StrEnum):
    """How grave a failed check is."""

    ERROR = "error"
    """Rows are or would be wrong, or missing in numbers: somebody has to act."""
    WARN = "warn"
    """Something is wrong in the archive itself: the date loads, and people should know."""


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check of one asset.

    Attributes:
        name: What holds when it passes; unique for its asset.
        asset: The asset that is checked: each of its partitions, or the whole where it has none.
        severity: The gravest it reports.
        blocking: Whether what comes after the asset waits for it.
        description: What is compared, in one or two sentences.
        remedy: What to do when it fails.
    """

    name: str
    asset: Asset
    severity: Severity
    blocking: bool
    description: str
    remedy: str


def _before_load(name: str, severity: Severity, description: str, remedy: str, *, blocking: bool = False) -> CheckSpec:
    return CheckSpec(name, "dicom_metadata", severity, blocking, description, remedy)


def _after_load(name: str, asset: Asset, description: str, remedy: str) -> CheckSpec:
    return CheckSpec(name, asset, Severity.ERROR, True, description, remedy)


def _standing(name: str, severity: Severity, description: str, remedy: str) -> CheckSpec:
    return CheckSpec(name, "archive_overview", severity, False, description, remedy)


_TABLES: tuple[Asset, ...] = ("dicom_image_meta", "dicom_state_meta", "dicom_reject")

METADATA_CHECKS: tuple[CheckSpec, ...] = (
    _before_load(
        "every_listed_file_accounted_for",
        Severity.ERROR,
        "Files listed = rows accepted + rows rejected, and no path stands twice.",
        "Run the date again. If it stays, files were lost or doubled in between: report it as a defect.",
        blocking=True,
    ),
    _before_load(
        "rows_follow_schema",
        Severity.ERROR,
        "The staged rows have the schema of this version; an accepted row has every required value, no text over its "
        "bound, and the tenant and date of its partition; a rejected row has a known reason and no values.",
        "Run dicom_metadata of this date again: it was staged by another version or by hand. "
        "If it stays, report it as a defect.",
        blocking=True,
    ),
    _before_load(
        "sop_instance_uid_unique",
        Severity.ERROR,
        "No two accepted rows of the date have the same SOP Instance UID.",
        "Run dicom_metadata of this date again; duplicates are rejected there. If it stays, report it as a defect.",
        blocking=True,
    ),
    _before_load(
        "rejected_share_below_limit",
        Severity.ERROR,
        "Damaged files that were rejected, as a share of the date's DICOM files. Any is a warning, more than the limit "
        "(5 % unless set otherwise) an error. Files that are not DICOM and identical copies do not count as damaged.",
        "Query dicom_reject for this date: reasons.md says what to do about each reason.",
    ),
    _before_load(
        "one_patient_per_study",
        Severity.WARN,
        "All instances of a study have the same Patient ID.",
        "Find out which patient the study belongs to and correct it at its source. Until then each series has the "
        "patient of one of its instances, by a fixed rule.",
    ),
    _before_load(
        "one_study_per_series",
        Severity.WARN,
        "All instances of a series belong to the same study.",
        "A series UID was used twice, or instances were moved between studies: correct the UIDs at their source. Until "
        "then the series has a row in each study.",
    ),
    _before_load(
        "series_attributes_constant",
        Severity.WARN,
        "Attributes of patient, study and series that dicom_state_meta holds are the same in all instances of a series "
        "(PS3.3 A.1.2).",
        "The row of the series shows the values of one of its instances, by a fixed rule; the counts name the columns "
        "that vary. Correct them at their source if they matter.",
    ),
    _before_load(
        "uids_well_formed",
        Severity.WARN,
        "UIDs are numbers without leading zeros joined by dots, at most 64 characters (PS3.5 9.1).",
        "Loaded as they are. Other systems may refuse these objects: have the sender corrected.",
    ),
    _before_load(
        "codes_are_defined_terms",
        Severity.WARN,
        "Modality is one of the terms of PS3.3 C.7.3.1.1.1, retired ones included; Patient's Sex is M, F or O "
        "(PS3.3 C.7.1.1).",
        "Loaded as they are. Queries by modality or sex will miss these rows: have the sender corrected.",
    ),
    _before_load(
        "pixel_attributes_agree",
        Severity.WARN,
        "Where there are pixels: Rows and Columns are there and above 0, Bits Stored is at most Bits Allocated, High "
        "Bit is Bits Stored - 1 (PS3.3 C.7.6.3, PS3.5 8.1.1).",
        "Loaded as they are. The pixels may not be readable: look at one of the instances.",
    ),
    _before_load(
        "dates_plausible",
        Severity.WARN,
        "Birth date <= study date <= today.",
        "A clock or a birth date is wrong at the source: correct it there.",
    ),
)

WAREHOUSE_CHECKS: tuple[CheckSpec, ...] = (
    *(
        _after_load(
            "warehouse_matches_staging",
            asset,
            "The date's rows in the database, read back, equal the rows that were to be loaded: their number and an "
            "order-independent digest of their values.",
            "Run the date again. If it stays, something else writes to the table, or the database alters values: find "
            "out which before you trust the table.",
        )
        for asset in _TABLES
    ),
    _after_load(
        "every_image_has_its_series",
        "dicom_state_meta",
        "Each image's series has a row, each series has an image, and series_related_instances is the number of its "
        "instances.",
        "Run the date again. If it stays, something else writes to the tables.",
    ),
)

PARTITIONED_CHECKS: tuple[CheckSpec, ...] = METADATA_CHECKS + WAREHOUSE_CHECKS
"""The checks of one date: each date has its own result."""

STANDING_CHECKS: tuple[CheckSpec, ...] = (
    _standing(
        "sop_instance_in_one_place",
        Severity.WARN,
        "Every SOP instance is in one series of one study date.",
        "The archive holds it twice, or its study date was changed. Correct the copies and load both dates again; "
        "until then counts over several dates count it twice.",
    ),
    _standing(
        "study_of_one_patient",
        Severity.WARN,
        "All instances of a study have the same Patient ID, whatever their study dates.",
        "Find out which patient the study belongs to, correct it at its source and load its dates again. A new Patient "
        "ID after a merge of patients is a correction that not all files have had.",
    ),
    _standing(
        "yesterday_is_loaded",
        Severity.ERROR,
        "Two hours after the time of the archive's schedule, the day before is in the ledger, with or without files. "
        "An archive without a schedule has no date that is due.",
        "Is Dagster's daemon running, and the schedule on? If the date failed, its run says why; then load it again.",
    ),
    _standing(
        "no_date_failed",
        Severity.ERROR,
        "No date failed when it was loaded last, and its checks after the load passed.",
        "Look at the failed partitions of dicom_image_meta and their runs, mend the reason and load them again.",
    ),
)
"""The checks of all that is loaded, over all dates of the tenant."""

CHECKS: tuple[CheckSpec, ...] = PARTITIONED_CHECKS + STANDING_CHECKS
CHECKS_BY_KEY: dict[tuple[str, str], CheckSpec] = {(spec.asset, spec.name): spec for spec in CHECKS}

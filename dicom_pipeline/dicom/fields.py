"""The field table: the single source of every column.

Scope: names, tags, rules, bounds, types and comments of all columns of all tables. Arrow schemas, DDL, column
comments, ``dagster/column_schema``, the readers' wanted tags and ``docs/tables.md`` are derived from it. Adding a
column is one entry here and a test. Tags and value representations are those of PS3.6.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Rule(Enum):
    """How a column's value comes to be; the reading rules are in ``dicom/records.py``."""

    TENANT = "the archive's tenant id"
    REQUIRED = "required identifier: absent, empty or over-long rejects the file"
    STUDY_DATE = "required date: eight digits, a real calendar date"
    STUDY_DATE_TEXT = "the text of the study date"
    TEXT = "text, trailing blanks and NULs cut, empty becomes NULL, over-long rejects or is cut by policy"
    INTEGER = "first value as a 32-bit integer, NULL if it is not one"
    DECIMAL = "first value as a finite float, NULL if it is not one"
    DATE = "eight digits and a real calendar date, else NULL"
    TIME = "HH[MM[SS[.F{1,6}]]], anything else rejects or becomes NULL by policy"
    UID_HASH = "SeaHash of a UID, 20 digits"
    ACCESSION = "1 to 16 bytes as they are, else X32CRC and the CRC-32 of tenant and study UID"
    TRANSFER_SYNTAX = "File Meta, then data set, then Implicit VR Little Endian"
    FILE_SIZE = "bytes of the file"
    STATUS = "the constant ACTIVE"
    UNFILLED = "always NULL: other systems may write it"
    CLOCK = "the run's one UTC clock reading"
    LOAD = "written by the load, not read from a header"


class Kind(StrEnum):
    """The column's type, from which each format takes its own (Arrow in ``tables/``, SQL in ``warehouse/``)."""

    TEXT = "text"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT64 = "float64"


class Phi(StrEnum):
    """How a column relates to a patient, after the classes of PS3.15 Annex E."""

    IDENTIFIER = "identifier"
    QUASI_IDENTIFIER = "quasi-identifier"
    UID = "uid"
    FREE_TEXT = "free text"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Field:
    """One column.

    Attributes:
        name: Column name, the same in every table and database.
        rule: How its value comes to be.
        kind: Its type.
        comment: One sentence for people, stored as the column's comment in the database.
        tag: The attribute's tag as an integer (group in the upper 16 bits), if it is read from a header.
        keyword: The attribute's keyword (PS3.6).
        vr: The attribute's value representation (PS3.5 6.2).
        bound: Largest length of a text, in UTF-8 bytes.
        nullable: Whether NULL may stand in it.
        phi: Its privacy class.
        volatile: Whether a reload that changes nothing else leaves it alone (times, run ids).
    """

    name: str
    rule: Rule
    kind: Kind
    comment: str
    tag: int | None = None
    keyword: str | None = None
    vr: str | None = None
    bound: int | None = None
    nullable: bool = True
    phi: Phi = Phi.NONE
    volatile: bool = False


def _text(name: str, tag: int, keyword: str, vr: str, bound: int, comment: str, phi: Phi = Phi.NONE) -> Field:
    return Field(name, Rule.TEXT, Kind.TEXT, comment, tag, keyword, vr, bound, phi=phi)


def _identifier(name: str, tag: int, keyword: str, vr: str, comment: str, phi: Phi) -> Field:
    return Field(name, Rule.REQUIRED, Kind.TEXT, comment, tag, keyword, vr, bound=64, nullable=False, phi=phi)


def _number(name: str, rule: Rule, tag: int, keyword: str, vr: str, comment: str, phi: Phi = Phi.NONE) -> Field:
    kind = Kind.INT32 if rule is Rule.INTEGER else Kind.FLOAT64
    return Field(name, rule, kind, comment, tag, keyword, vr, phi=phi)


def _moment(name: str, rule: Rule, tag: int, keyword: str, comment: str, phi: Phi) -> Field:
    kind, vr = (Kind.DATE, "DA") if rule is Rule.DATE else (Kind.TIME, "TM")
    return Field(name, rule, kind, comment, tag, keyword, vr, phi=phi)


def _clock(name: str, comment: str) -> Field:
    return Field(name, Rule.CLOCK, Kind.TIMESTAMP, comment, nullable=False, volatile=True)


_TENANT = Field(
    "tenant_id",
    Rule.TENANT,
    Kind.TEXT,
    "Tenant that owns the archive; leads every key",
    bound=64,
    nullable=False,
)
_STUDY_DATE = Field(
    "study_date",
    Rule.STUDY_DATE,
    Kind.DATE,
    "Study Date; the partition of the row",
    0x0008_0020,
    "StudyDate",
    "DA",
    nullable=False,
    phi=Phi.QUASI_IDENTIFIER,
)
_STUDY_UID = _identifier("study_uid", 0x0020_000D, "StudyInstanceUID", "UI", "Study Instance UID", Phi.UID)
_SERIES_UID = _identifier("series_uid", 0x0020_000E, "SeriesInstanceUID", "UI", "Series Instance UID", Phi.UID)
_SOP_UID = _identifier("sop_uid", 0x0008_0018, "SOPInstanceUID", "UI", "SOP Instance UID", Phi.UID)
_SHARED = (
    _identifier("patient_id", 0x0010_0020, "PatientID", "LO", "Patient ID", Phi.IDENTIFIER),
    Field(
        "study_uid_hash",
        Rule.UID_HASH,
        Kind.TEXT,
        "SeaHash of study_uid as 20 digits; no protection of privacy",
        bound=20,
        nullable=False,
        phi=Phi.UID,
    ),
    Field(
        "series_uid_hash",
        Rule.UID_HASH,
        Kind.TEXT,
        "SeaHash of series_uid as 20 digits; no protection of privacy",
        bound=20,
        nullable=False,
        phi=Phi.UID,
    ),
    Field(
        "study_date_origin",
        Rule.STUDY_DATE_TEXT,
        Kind.TEXT,
        "Study Date as the text in the file, YYYYMMDD",
        0x0008_0020,
        "StudyDate",
        "DA",
        bound=8,
        nullable=False,
        phi=Phi.QUASI_IDENTIFIER,
    ),
)
_CLOCKS = (
    _clock("created_time", "When the row was first loaded, UTC"),
    _clock("updated_time", "When the row last changed, UTC"),
)

STATE_FIELDS: tuple[Field, ...] = (
    _TENANT,
    _STUDY_DATE,
    _STUDY_UID,
    _SERIES_UID,
    *_SHARED,
    _text("patient_name", 0x0010_0010, "PatientName", "PN", 64, "Patient's name", Phi.IDENTIFIER),
    _text("patient_sex", 0x0010_0040, "PatientSex", "CS", 1, "Patient's sex: M, F or O", Phi.QUASI_IDENTIFIER),
    _moment("patient_birth_date", Rule.DATE, 0x0010_0030, "PatientBirthDate", "Birth date", Phi.IDENTIFIER),
    _moment("patient_birth_time", Rule.TIME, 0x0010_0032, "PatientBirthTime", "Birth time", Phi.IDENTIFIER),
    _text(
        "patient_age",
        0x0010_1010,
        "PatientAge",
        "AS",
        16,
        "Patient's age, such as 042Y",
        Phi.QUASI_IDENTIFIER,
    ),
    _number(
        "patient_size",
        Rule.DECIMAL,
        0x0010_1020,
        "PatientSize",
        "DS",
        "Height in metres",
        Phi.QUASI_IDENTIFIER,
    ),
    _number(
        "patient_weight",
        Rule.DECIMAL,
        0x0010_1030,
        "PatientWeight",
        "DS",
        "Weight in kilograms",
        Phi.QUASI_IDENTIFIER,
    ),
    Field(
        "pregnancy_status",
        Rule.UNFILLED,
        Kind.INT32,
        "Pregnancy status; kept for others to fill, always NULL",
    ),
    _moment("study_time", Rule.TIME, 0x0008_0030, "StudyTime", "Study time", Phi.QUASI_IDENTIFIER),
    Field(
        "accession_number",
        Rule.ACCESSION,
        Kind.TEXT,
        "Accession Number; X32CRC and a CRC-32 of tenant and study where the file has none of 1 to 16 bytes",
        0x0008_0050,
        "AccessionNumber",
        "SH",
        bound=16,
        nullable=False,
        phi=Phi.IDENTIFIER,
    ),
    _text("study_id", 0x0020_0010, "StudyID", "SH", 16, "Study ID", Phi.IDENTIFIER),
    _text("study_description", 0x0008_1030, "StudyDescription", "LO", 64, "Study description", Phi.FREE_TEXT),
    _text("modality", 0x0008_0060, "Modality", "CS", 16, "Modality, such as CT or MR"),
    _number("series_number", Rule.INTEGER, 0x0020_0011, "SeriesNumber", "IS", "Series number"),
    _moment("series_date", Rule.DATE, 0x0008_0021, "SeriesDate", "Series date", Phi.QUASI_IDENTIFIER),
    _moment("series_time", Rule.TIME, 0x0008_0031, "SeriesTime", "Series time", Phi.QUASI_IDENTIFIER),
    _text("series_description", 0x0008_103E, "SeriesDescription", "LO", 256, "Series description", Phi.FREE_TEXT),
    _text("body_part_examined", 0x0018_0015, "BodyPartExamined", "CS", 64, "Body part examined"),
    _text("protocol_name", 0x0018_1030, "ProtocolName", "LO", 64, "Protocol name", Phi.FREE_TEXT),
    _number(
        "series_related_instances",
        Rule.INTEGER,
        0x0020_1209,
        "NumberOfSeriesRelatedInstances",
        "IS",
        "Distinct SOP instances of the series on this date, counted by the load",
    ),
    *_CLOCKS,
)

IMAGE_FIELDS: tuple[Field, ...] = (
    _TENANT,
    _STUDY_DATE,
    _STUDY_UID,
    _SERIES_UID,
    _SOP_UID,
    *_SHARED,
    _moment("content_date", Rule.DATE, 0x0008_0023, "ContentDate", "Content date", Phi.QUASI_IDENTIFIER),
    _moment("content_time", Rule.TIME, 0x0008_0033, "ContentTime", "Content time", Phi.QUASI_IDENTIFIER),
    _number("instance_number", Rule.INTEGER, 0x0020_0013, "InstanceNumber", "IS", "Instance number"),
    _text("image_type", 0x0008_0008, "ImageType", "CS", 128, "Image type, values joined by a backslash"),
    _text(
        "image_orientation_patient",
        0x0020_0037,
        "ImageOrientationPatient",
        "DS",
        128,
        "Row and column direction cosines, six numbers joined by a backslash",
    ),
    _text(
        "image_position_patient",
        0x0020_0032,
        "ImagePositionPatient",
        "DS",
        64,
        "Position of the first pixel in mm, three numbers joined by a backslash",
    ),
    _number("slice_thickness", Rule.DECIMAL, 0x0018_0050, "SliceThickness", "DS", "Slice thickness in mm"),
    _number(
        "spacing_between_slices",
        Rule.DECIMAL,
        0x0018_0088,
        "SpacingBetweenSlices",
        "DS",
        "Spacing between slices in mm",
    ),
    _number("slice_location", Rule.DECIMAL, 0x0020_1041, "SliceLocation", "DS", "Slice location in mm"),
    _number("samples_per_pixel", Rule.INTEGER, 0x0028_0002, "SamplesPerPixel", "US", "Samples per pixel"),
    _text(
        "photometric_interpretation",
        0x0028_0004,
        "PhotometricInterpretation",
        "CS",
        32,
        "Photometric interpretation",
    ),
    _number(
        "width",
        Rule.INTEGER,
        0x0028_0010,
        "Rows",
        "US",
        "Rows: number of image rows, despite the column's name",
    ),
    _number("columns", Rule.INTEGER, 0x0028_0011, "Columns", "US", "Columns: number of image columns"),
    _number("bits_allocated", Rule.INTEGER, 0x0028_0100, "BitsAllocated", "US", "Bits allocated"),
    _number("bits_stored", Rule.INTEGER, 0x0028_0101, "BitsStored", "US", "Bits stored"),
    _number("high_bit", Rule.INTEGER, 0x0028_0102, "HighBit", "US", "High bit"),
    _number(
        "pixel_representation",
        Rule.INTEGER,
        0x0028_0103,
        "PixelRepresentation",
        "US",
        "Pixel representation: 0 unsigned, 1 two's complement",
    ),
    _number("rescale_intercept", Rule.DECIMAL, 0x0028_1052, "RescaleIntercept", "DS", "Rescale intercept"),
    _number("rescale_slope", Rule.DECIMAL, 0x0028_1053, "RescaleSlope", "DS", "Rescale slope"),
    _text("rescale_type", 0x0028_1054, "RescaleType", "LO", 64, "Rescale type, such as HU"),
    _text("window_center", 0x0028_1050, "WindowCenter", "DS", 64, "Window centers joined by a backslash"),
    _text("window_width", 0x0028_1051, "WindowWidth", "DS", 64, "Window widths joined by a backslash"),
    Field(
        "transfer_syntax_uid",
        Rule.TRANSFER_SYNTAX,
        Kind.TEXT,
        "Transfer Syntax UID of the file; 1.2.840.10008.1.2 where the file names none",
        0x0002_0010,
        "TransferSyntaxUID",
        "UI",
        bound=64,
        nullable=False,
    ),
    Field(
        "pixel_data_location",
        Rule.UNFILLED,
        Kind.TEXT,
        "Where the pixel data is kept; kept for others to fill, always NULL",
        bound=512,
    ),
    Field(
        "thumbnail_location",
        Rule.UNFILLED,
        Kind.TEXT,
        "Where a thumbnail is kept; kept for others to fill, always NULL",
        bound=512,
    ),
    _identifier("sop_class_uid", 0x0008_0016, "SOPClassUID", "UI", "SOP Class UID", Phi.NONE),
    Field("image_status", Rule.STATUS, Kind.TEXT, "Status of the row, always ACTIVE", bound=32),
    Field("space_size", Rule.FILE_SIZE, Kind.INT64, "Size of the file in bytes"),
    *_CLOCKS,
)


def _load_field(
    name: str,
    kind: Kind,
    comment: str,
    *,
    bound: int | None = None,
    nullable: bool = False,
    phi: Phi = Phi.NONE,
    volatile: bool = False,
) -> Field:
    return Field(name, Rule.LOAD, kind, comment, bound=bound, nullable=nullable, phi=phi, volatile=volatile)


_PARTITION_DATE = _load_field("partition_date", Kind.DATE, "Date of the partition that was loaded")

REJECT_FIELDS: tuple[Field, ...] = (
    _TENANT,
    _PARTITION_DATE,
    _load_field("path_hash", Kind.TEXT, "SHA-256 of path as 64 hexadecimal digits; stands for it in the key", bound=64),
    _load_field("path", Kind.TEXT, "Path of the file relative to the archive's root", phi=Phi.IDENTIFIER),
    _load_field("file_size", Kind.INT64, "Size of the file in bytes, NULL if it could not be asked", nullable=True),
    _load_field("reason", Kind.TEXT, "Why the file was refused; docs/reasons.md explains each code", bound=64),
    _load_field(
        "field",
        Kind.TEXT,
        "Keyword of the attribute that was the reason, if one was",
        bound=64,
        nullable=True,
    ),
    _load_field("run_id", Kind.TEXT, "Run that first refused the file for this reason", bound=64, volatile=True),
    _clock("created_time", "When the file was first refused for this reason, UTC"),
)

LOAD_FIELDS: tuple[Field, ...] = (
    _TENANT,
    _PARTITION_DATE,
    _load_field("run_id", Kind.TEXT, "Run that loaded the slice", bound=64),
    _load_field("code_version", Kind.TEXT, "Version of dicom-pipeline that loaded it", bound=64),
    _load_field("started_time", Kind.TIMESTAMP, "When the load of the slice began, UTC"),
    _load_field("finished_time", Kind.TIMESTAMP, "When the slice was ready to commit, UTC"),
    _load_field("files_listed", Kind.INT64, "Files listed in the archive for this date"),
    _load_field("files_accepted", Kind.INT64, "Files that became rows"),
    _load_field("files_rejected", Kind.INT64, "Files refused, each a row of dicom_reject"),
    _load_field("rows_inserted", Kind.INT64, "Image rows inserted by this load"),
    _load_field("rows_updated", Kind.INT64, "Image rows changed by this load"),
    _load_field("rows_deleted", Kind.INT64, "Image rows deleted by this load"),
    _load_field("digest", Kind.TEXT, "Order-independent digest of the slice's image rows", bound=64),
)


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A warehouse table: its columns, its key, and the column that places a row in a (tenant, date) slice."""

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    date_column: str
    comment: str

    def field(self, name: str) -> Field:
        """Return the column called ``name``; raises ``KeyError`` if the table has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def key_in_slice(self) -> tuple[str, ...]:
        """The key without what is the same in a whole (tenant, date) slice."""
        return tuple(name for name in self.key if name not in ("tenant_id", self.date_column))

    @property
    def compared(self) -> tuple[Field, ...]:
        """The columns whose change makes a row a changed row: neither key nor volatile."""
        return tuple(f for f in self.fields if f.name not in self.key and not f.volatile)


IMAGE = TableSpec(
    "dicom_image_meta",
    IMAGE_FIELDS,
    ("tenant_id", "study_date", "study_uid", "series_uid", "sop_uid"),
    "study_date",
    "One row for each SOP instance of the archive",
)
STATE = TableSpec(
    "dicom_state_meta",
    STATE_FIELDS,
    ("tenant_id", "study_date", "study_uid", "series_uid"),
    "study_date",
    "One row for each series of the archive and study date",
)
REJECT = TableSpec(
    "dicom_reject",
    REJECT_FIELDS,
    ("tenant_id", "partition_date", "path_hash"),
    "partition_date",
    "One row for each file that could not be taken, with its reason",
)
LOAD = TableSpec(
    "dicom_load",
    LOAD_FIELDS,
    ("tenant_id", "partition_date", "run_id", "started_time"),
    "partition_date",
    "The ledger: one row for each load of a tenant's date",
)
SLICE_TABLES: tuple[TableSpec, ...] = (IMAGE, STATE, REJECT)
ALL_TABLES: tuple[TableSpec, ...] = (*SLICE_TABLES, LOAD)


def _unique(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple({f.name: f for f in fields}.values())


HEADER_FIELDS: tuple[Field, ...] = _unique((*(f for f in IMAGE_FIELDS if not f.volatile), *STATE_FIELDS))
"""Every column of both tables once: what one file's header and size amount to (clocks last)."""

SPECIFIC_CHARACTER_SET = 0x0008_0005
WANTED_TAGS: frozenset[int] = frozenset({f.tag for f in HEADER_FIELDS if f.tag is not None} | {SPECIFIC_CHARACTER_SET})
LAST_WANTED_TAG: int = max(WANTED_TAGS)

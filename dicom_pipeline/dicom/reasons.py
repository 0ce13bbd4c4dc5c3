"""Why a file was refused, or a value changed: the closed list of reason codes.

Scope: the codes, what each means, what to do, and whether it marks a damaged DICOM file. ``docs/reasons.md`` is
generated from this list. Codes of the reference behaviour keep their names.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A reason code: the text stored in ``dicom_reject.reason`` and in ``findings``."""

    # The reference's codes.
    MISSING_REQUIRED_FIELD = "MissingRequiredField"
    INVALID_FORMAT = "InvalidFormat"
    INVALID_DATE_FORMAT = "InvalidDateFormat"
    INVALID_TIME_FORMAT = "InvalidTimeFormat"
    CONVERSION_ERROR = "ConversionError"
    # The file as a whole.
    NOT_DICOM = "NotDicom"
    EMPTY_FILE = "EmptyFile"
    UNREADABLE = "Unreadable"
    LIMIT_EXCEEDED = "LimitExceeded"
    # The file and its place.
    STUDY_DATE_MISMATCH = "StudyDateMismatch"
    DUPLICATE_INSTANCE = "DuplicateInstance"
    # The file system.
    PERMISSION_DENIED = "PermissionDenied"
    VANISHED = "Vanished"
    CHANGED = "Changed"
    READ_ERROR = "ReadError"
    NOT_A_FILE = "NotAFile"
    LINK_OUTSIDE_ARCHIVE = "LinkOutsideArchive"
    # Findings only: the value was dropped or adjusted, the file was taken.
    INVALID_NUMBER = "InvalidNumber"
    LEAP_SECOND = "LeapSecond"
    ACCESSION_REPLACED = "AccessionReplaced"
    IDENTICAL_COPY = "IdenticalCopy"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """What a code tells a person.

    Attributes:
        meaning: One sentence: what was found.
        remedy: One sentence: what to do about it.
        rejects: Whether a file can be refused for it (otherwise it appears in ``findings`` only).
        damaged: Whether such a refusal counts as a damaged DICOM file in the share of rejects.
    """

    meaning: str
    remedy: str
    rejects: bool = True
    damaged: bool = True


REASONS: dict[Reason, ReasonInfo] = {
    Reason.MISSING_REQUIRED_FIELD: ReasonInfo(
        "A required attribute is absent or empty; `field` names it.",
        "Correct the object at its source; the tables cannot key a row without it.",
    ),
    Reason.INVALID_FORMAT: ReasonInfo(
        "A required identifier is longer than 64 bytes or holds a NUL character.",
        "Correct the object at its source; identifiers are never cut.",
    ),
    Reason.INVALID_DATE_FORMAT: ReasonInfo(
        "StudyDate is present but is not a calendar date written as eight digits.",
        "Correct StudyDate; the retired form YYYY.MM.DD is not taken either.",
    ),
    Reason.INVALID_TIME_FORMAT: ReasonInfo(
        "A time is not HH[MM[SS[.F{1,6}]]].",
        "Correct the value, or load with `--on-invalid-value null` to store NULL and keep the file.",
    ),
    Reason.CONVERSION_ERROR: ReasonInfo(
        "An optional text is longer (in UTF-8 bytes) than its column, or holds a NUL character.",
        "Correct the value, or load with `--on-invalid-value null` to cut it and keep the file.",
    ),
    Reason.NOT_DICOM: ReasonInfo(
        "The content is not DICOM: no DICM prefix and no data set at its beginning.",
        "Nothing, if the file is a thumbnail or a note; it raises no alarm.",
        damaged=False,
    ),
    Reason.EMPTY_FILE: ReasonInfo("The file has no bytes.", "Send the object again; the transfer was cut."),
    Reason.UNREADABLE: ReasonInfo(
        "The file is DICOM, but its data set ends inside an element or cannot be followed to the attributes needed.",
        "Send the object again, or repair it; the attributes behind the damage are unknown.",
    ),
    Reason.LIMIT_EXCEEDED: ReasonInfo(
        "Reading the header would take more time, memory or inflated bytes than a file may cost.",
        "Inspect the file by hand: an inflating or endless header is an attack or a defect.",
    ),
    Reason.STUDY_DATE_MISMATCH: ReasonInfo(
        "StudyDate in the file is not the date of the partition the file lies in.",
        "Move the file to its date's directory, or correct StudyDate.",
    ),
    Reason.DUPLICATE_INSTANCE: ReasonInfo(
        "Another file of the partition has the same SOP Instance UID: of equal copies one is taken and the others "
        "are refused (finding IdenticalCopy); of differing files all are refused.",
        "Remove the copies, or find out which of the differing files is right and remove the others.",
    ),
    Reason.PERMISSION_DENIED: ReasonInfo(
        "The operating system refuses to let this user read the file or list the directory.",
        "Give the user that runs the pipeline read access.",
    ),
    Reason.VANISHED: ReasonInfo(
        "The file was listed but was gone when it was to be read, or it is a link to nothing.",
        "Load the date again; if a link is broken, mend or remove it.",
    ),
    Reason.CHANGED: ReasonInfo(
        "The file's size or time of modification changed between listing and reading.",
        "Load the date again when the archive is quiet.",
    ),
    Reason.READ_ERROR: ReasonInfo(
        "The operating system reported an input/output error while the file was read.",
        "Check the disk or the network share, then load the date again.",
    ),
    Reason.NOT_A_FILE: ReasonInfo(
        "The entry is a socket, pipe or device.", "Remove it from the archive.", damaged=False
    ),
    Reason.LINK_OUTSIDE_ARCHIVE: ReasonInfo(
        "The entry is a link that leads out of the archive; it was not followed.",
        "Copy the data into the archive, or configure the target as an archive of its own.",
        damaged=False,
    ),
    Reason.INVALID_NUMBER: ReasonInfo(
        "A number could not be read, or does not fit its column; NULL is stored.",
        "None needed.",
        rejects=False,
    ),
    Reason.LEAP_SECOND: ReasonInfo("A time with second 60 was stored as second 59.", "None needed.", rejects=False),
    Reason.ACCESSION_REPLACED: ReasonInfo(
        "AccessionNumber is longer than 16 bytes and was replaced by the CRC fallback.",
        "Correct the accession number at its source if joins need it.",
        rejects=False,
    ),
    Reason.IDENTICAL_COPY: ReasonInfo(
        "The refused file is byte for byte the same as the one that was taken.",
        "Remove the copy.",
        rejects=False,
    ),
}

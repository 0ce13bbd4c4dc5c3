"""The errors a person may see, and nothing else.

Scope: exception classes shared by every folder. Each message is one line that says what is wrong, where, and what
to do about it, and never holds a value read from a DICOM file. Reasons for refusing a single file are data, not
exceptions of this module: see ``dicom/reasons.py``.
"""


class PipelineError(Exception):
    """Anything this project raises on purpose; ``str()`` is one line fit for a terminal and for a log.

    ``transient`` tells retry layers whether the same call may succeed later without anybody's help.
    """

    transient = False


class ConfigurationError(PipelineError):
    """A setting, argument or URL is wrong: nothing was started (exit code 2).

    A settings file may have several problems: ``str()`` is then one line each.
    """


class UnsupportedDatabase(ConfigurationError):
    """The warehouse URL names a database other than PostgreSQL or Apache Doris."""


class ArchiveError(PipelineError):
    """The archive's root or a date's directory cannot be listed."""


class ArchiveUnavailable(ArchiveError):
    """The archive's file system or this machine could not answer now: trying again may help."""

    transient = True


class WarehouseError(PipelineError):
    """The database refused or the statement failed for a reason that will not go away by itself."""


class WarehouseUnavailable(WarehouseError):
    """The database cannot be reached, is starting, or a lock was not granted in time: trying again may help."""

    transient = True


class SchemaDrift(WarehouseError):
    """An existing table differs from the field table; ``differences`` lists how, one line each."""

    def __init__(self, differences: list[str]) -> None:
        self.differences = differences
        super().__init__("the warehouse's tables differ from what this version writes: " + "; ".join(differences))


class StagingError(PipelineError):
    """A staged file is missing, unreadable or of another version: run the asset that writes it again."""


def place_of(error: BaseException) -> str:
    """Return the innermost place of this project that an exception came through, as ``module:line``.

    For errors nobody expected: their text may carry a patient's data, their place cannot.
    """
    place = "a library"
    trace = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith("dicom_pipeline."):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place

"""What Dagster loads: the definitions of the configured archives. Assembly is in ``orchestration/definitions.py``."""

from dicom_pipeline.orchestration.definitions import build_definitions
from dicom_pipeline.settings import Settings

defs = build_definitions(Settings.load())

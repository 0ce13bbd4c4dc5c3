"""Settings: archives, warehouses, staging and limits, from a YAML file, the environment and what was loaded before."""

from dicom_pipeline.settings.archive import Archive as Archive
from dicom_pipeline.settings.archive import validate_tenant as validate_tenant
from dicom_pipeline.settings.pipeline import CONFIG_FILE as CONFIG_FILE
from dicom_pipeline.settings.pipeline import WAREHOUSE_VARIABLE as WAREHOUSE_VARIABLE
from dicom_pipeline.settings.pipeline import Settings as Settings
from dicom_pipeline.settings.pipeline import warehouse_variable as warehouse_variable

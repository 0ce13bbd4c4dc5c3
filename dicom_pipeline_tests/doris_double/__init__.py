"""A test double of Apache Doris: what the loader can see of a cluster, and nothing kinder."""

from dicom_pipeline_tests.doris_double.accounts import Account, Privilege
from dicom_pipeline_tests.doris_double.double import DorisDouble
from dicom_pipeline_tests.doris_double.faults import Action, Fault, Place
from dicom_pipeline_tests.doris_double.spelling import Spelling

__all__ = ["Account", "Action", "DorisDouble", "Fault", "Place", "Privilege", "Spelling"]

"""Where the corpus of real files is: ``DICOM_PIPELINE_CORPUS``, by default ``../shared/corpus`` beside the project."""

import os
from pathlib import Path

import pytest

CORPUS = Path(os.environ.get("DICOM_PIPELINE_CORPUS", Path(__file__).parents[1] / "../shared/corpus"))

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason=f"the corpus of real files is not at {CORPUS}: say where with DICOM_PIPELINE_CORPUS"
)

"""A small archive made of real, valid DICOM files whose every value is chosen by the test."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def write_instance(path: Path, date: dt.date, **attributes: object) -> Path:
    """Write one CT instance; ``attributes`` are keywords of the standard, None leaves one out."""
    values: dict[str, object] = {
        "PatientID": "P1",
        "PatientName": "Doe^Jane",
        "StudyInstanceUID": f"1.2.{date:%Y%m%d}",
        "SeriesInstanceUID": f"1.2.{date:%Y%m%d}.1",
        "SOPInstanceUID": generate_uid(entropy_srcs=[str(path)]),
        "SOPClassUID": CTImageStorage,
        "StudyDate": f"{date:%Y%m%d}",
        "Modality": "CT",
        "Rows": 2,
        "Columns": 2,
        **attributes,
    }
    dataset = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = values["SOPInstanceUID"] or "1.2.3"
    path.parent.mkdir(parents=True, exist_ok=True)
    with pydicom.config.disable_value_validation():
        dataset.save_as(path, enforce_file_format=True)
    return path


@dataclass
class SmallArchive:
    """An archive in the layout ``date_directories`` that a test fills and changes."""

    root: Path
    written: list[Path] = field(default_factory=list)

    def add(self, date: dt.date, name: str = "a.dcm", **attributes: object) -> Path:
        path = write_instance(self.root / f"{date:%Y%m%d}" / name, date, **attributes)
        self.written.append(path)
        return path

    def fill(self, dates: list[dt.date], instances: int = 3) -> None:
        for date in dates:
            for number in range(1, instances + 1):
                self.add(date, f"{number}.dcm", InstanceNumber=number)


def days(first: str, count: int) -> list[dt.date]:
    start = dt.date.fromisoformat(first)
    return [start + dt.timedelta(days=n) for n in range(count)]

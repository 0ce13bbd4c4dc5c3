"""The attributes of a series' headers: what the tables want, and the other hundred around it.

Scope: which elements a header has and what varies from file to file. Values that no table wants are in ``filler.py``,
structures to step over in ``private.py``.
"""

from functools import cache
from random import Random

from pydicom.datadict import dictionary_VR, tag_for_keyword

from benchmarks.archive import filler
from benchmarks.archive.elements import AnyElement, Element, Instance, Value, Varying
from benchmarks.archive.people import make_patient
from benchmarks.archive.plan import SeriesPlan, StudyPlan
from benchmarks.archive.private import private_blocks, sequences
from benchmarks.archive.shapes import load_shapes


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_COMMON = _words(
    """
    InstanceCreationDate AcquisitionDate AcquisitionTime InstitutionName InstitutionAddress
    ReferringPhysicianName StationName InstitutionalDepartmentName PerformingPhysicianName OperatorsName
    NameOfPhysiciansReadingStudy AdmittingDiagnosesDescription OtherPatientIDs EthnicGroup Occupation
    AdditionalPatientHistory PatientComments DeviceSerialNumber SoftwareVersions DateOfLastCalibration
    TimeOfLastCalibration PatientPosition AcquisitionNumber FrameOfReferenceUID PositionReferenceIndicator
    ImageComments RequestedProcedureDescription PerformedProcedureStepStartDate PerformedProcedureStepStartTime
    PerformedProcedureStepID PerformedProcedureStepDescription ScheduledProcedureStepDescription MedicalAlerts
    Allergies LossyImageCompression BurnedInAnnotation PixelSpacing PixelAspectRatio QualityControlImage
    RequestingPhysician RequestingService CurrentPatientLocation InstanceCreatorUID TimezoneOffsetFromUTC
    """
)
_OF_MODALITY = {
    "CT": _words(
        """
        ContrastBolusAgent ScanOptions KVP DataCollectionDiameter ContrastBolusRoute ReconstructionDiameter
        DistanceSourceToDetector DistanceSourceToPatient GantryDetectorTilt TableHeight RotationDirection
        ExposureTime XRayTubeCurrent Exposure FilterType GeneratorPower FocalSpots ConvolutionKernel
        RevolutionTime SingleCollimationWidth TotalCollimationWidth TableSpeed TableFeedPerRotation
        SpiralPitchFactor ExposureModulationType CTDIvol
        """
    ),
    "MR": _words(
        """
        ScanningSequence SequenceVariant ScanOptions MRAcquisitionType SequenceName AngioFlag RepetitionTime
        EchoTime InversionTime NumberOfAverages ImagingFrequency ImagedNucleus EchoNumbers MagneticFieldStrength
        NumberOfPhaseEncodingSteps EchoTrainLength PercentSampling PercentPhaseFieldOfView PixelBandwidth
        ReceiveCoilName TransmitCoilName AcquisitionMatrix InPlanePhaseEncodingDirection FlipAngle
        VariableFlipAngleFlag SAR dBdt HeartRate CardiacNumberOfImages TriggerWindow LowRRValue HighRRValue
        """
    ),
    "PT": _words(
        """
        RadiationSetting ActualFrameDuration Units CountsSource RandomsCorrectionMethod ReconstructionMethod
        DecayCorrection FrameReferenceTime DecayFactor DoseCalibrationFactor ScatterFractionFactor
        CollimatorType
        """
    ),
}
_PROJECTION = _words(
    """
    KVP ExposureTime XRayTubeCurrent Exposure ExposureInuAs FilterMaterial AnodeTargetMaterial BodyPartThickness
    CompressionForce DetectorType DetectorID DetectorTemperature ViewPosition ImageLaterality PatientOrientation
    EntranceDoseInmGy PresentationIntentType
    """
)
_WITHOUT_PIXELS = frozenset({"RTSTRUCT", "RTPLAN"})
_VALUELESS_SHARE = 0.02


def has_pixels(modality: str) -> bool:
    """Whether files of the modality have pixel data, and the attributes that describe it."""
    return modality not in _WITHOUT_PIXELS


def series_elements(seed: int, study: StudyPlan, series: SeriesPlan) -> list[AnyElement]:
    """Return the data set of a series' files in ascending order of tags, without pixel data."""
    random = Random(f"{seed}/series/{series.uid}")
    wanted = {**_study_values(seed, study), **_series_values(random, study, series), **_image_values(random, series)}
    manufacturer = str(load_shapes().modalities[series.modality].manufacturers.draw(random))
    elements: list[AnyElement] = [Element(*_tag_and_vr(keyword), value) for keyword, value in wanted.items()]
    elements.append(Element(*_tag_and_vr("Manufacturer"), manufacturer.encode()))
    others = [*_COMMON, *_OF_MODALITY.get(series.modality, _PROJECTION)]
    # Not every device fills in everything.
    elements += [filler.filler(random, *_tag_and_vr(k)) for k in others if k not in wanted and random.random() < 0.9]
    elements += [*private_blocks(random, manufacturer, series.modality), *sequences(random, series.modality)]
    return sorted(elements, key=lambda element: element.tag)


def _study_values(seed: int, study: StudyPlan) -> dict[str, Value | Varying]:
    random = Random(f"{seed}/study/{study.index}/values")
    patient = make_patient(seed, study.patient, study.character_set)
    shapes = load_shapes()
    values: dict[str, Value | Varying] = {
        "StudyDate": f"{study.date:%Y%m%d}".encode(),
        "StudyTime": filler.time(random),
        "AccessionNumber": b"A%09d" % random.randrange(10**9),
        "StudyInstanceUID": study.uid.encode(),
        "StudyID": random.choice((b"", b"1", b"%d" % random.randrange(10**5))),
        "StudyDescription": _description(random, shapes.lengths["StudyDescription"].draw(random)),
        "PatientID": patient.identifier,
        "PatientName": patient.name,
        "PatientBirthDate": patient.birth_date,
        "PatientSex": patient.sex,
        "PatientAge": b"%03dY" % random.randrange(1, 95),
        "PatientSize": random.choice((b"", b"1.74", b"1.6 ", b"0")),
        "PatientWeight": random.choice((b"", b"81", b"63.50", b"0.0")),
    }
    if study.character_set:
        values["SpecificCharacterSet"] = study.character_set.encode()
    return _without_absent(random, values)


def _series_values(random: Random, study: StudyPlan, series: SeriesPlan) -> dict[str, Value | Varying]:
    shape = load_shapes().modalities[series.modality]
    return _without_absent(
        random,
        {
            "Modality": series.modality.encode(),
            "SeriesInstanceUID": series.uid.encode(),
            "SeriesNumber": b"%d" % series.number,
            "SeriesDate": f"{study.date:%Y%m%d}".encode(),
            "SeriesTime": filler.time(random),
            "SeriesDescription": _description(random, load_shapes().lengths["SeriesDescription"].draw(random)),
            "ProtocolName": filler.text(random, 24),
            "BodyPartExamined": str(shape.body_parts.draw(random)).encode(),
            "ManufacturerModelName": str(shape.models.draw(random)).encode(),
            "SOPClassUID": shape.sop_class.encode(),
        },
    )


def _image_values(random: Random, series: SeriesPlan) -> dict[str, Value | Varying]:
    values: dict[str, Value | Varying] = {
        "SOPInstanceUID": lambda instance: instance.uid.encode(),
        "InstanceNumber": lambda instance: b"%d" % instance.number,
        "ImageType": random.choice((b"ORIGINAL\\PRIMARY\\AXIAL", b"DERIVED\\SECONDARY\\MPR\\", b"ORIGINAL\\PRIMARY")),
        "ContentDate": filler.date(random),
        "ContentTime": _running_time(random),
        "InstanceCreationTime": _running_time(random),
    }
    if has_pixels(series.modality):
        values |= _pixel_values(random, series.modality)
    if series.modality in {"CT", "MR", "PT"}:
        values |= _place_in_patient(random)
    return values


def _pixel_values(random: Random, modality: str) -> dict[str, Value | Varying]:
    stored = random.choice((12, 16)) if modality != "US" else 8
    center = random.randint(20, 600)
    return {
        "SamplesPerPixel": (3,) if modality == "US" else (1,),
        "PhotometricInterpretation": b"RGB" if modality == "US" else b"MONOCHROME2",
        "Rows": (random.choice((256, 512, 512, 1024)),),
        "Columns": (random.choice((256, 512, 512, 1024)),),
        "BitsAllocated": (8 if modality == "US" else 16,),
        "BitsStored": (stored,),
        "HighBit": (stored - 1,),
        "PixelRepresentation": (random.choice((0, 1)) if modality == "CT" else 0,),
        "SmallestImagePixelValue": lambda instance: (instance.number % 7,),
        "LargestImagePixelValue": lambda instance: (1000 + instance.number * 37 % 3000,),
        "WindowCenter": lambda instance: b"%d\\%d" % (center, center + instance.number % 50),
        "WindowWidth": random.choice((b"400\\1500", b"350", b"1500.0\\80 ")),
        "RescaleIntercept": random.choice((b"-1024", b"0", b"-1024.0 ")),
        "RescaleSlope": random.choice((b"1", b"1.0", b"0.98534798")),
        "RescaleType": random.choice((b"HU", b"US", b"")),
    }


def _place_in_patient(random: Random) -> dict[str, Value | Varying]:
    x, y, first = (random.uniform(-250, 0) for _ in range(3))
    step = random.choice((0.625, 1.0, 1.25, 3.0, 5.0))
    return {
        "SliceThickness": b"%.6g" % step,
        "SpacingBetweenSlices": random.choice((b"", b"%.6f" % step)),
        "SliceLocation": lambda instance: b"%.6g" % (first + step * instance.number),
        "ImagePositionPatient": lambda instance: b"%.6f\\%.6f\\%.6f" % (x, y, first + step * instance.number),
        "ImageOrientationPatient": random.choice((b"1\\0\\0\\0\\1\\0", b"0.999\\0.01\\-0.02\\-0.01\\0.998\\0.03")),
    }


def _running_time(random: Random) -> Varying:
    start = random.randrange(7 * 3600, 20 * 3600)
    fraction = random.choice(("", ".000000", ".25"))

    def at(instance: Instance) -> bytes:
        seconds = start + instance.number % 3600
        return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}{fraction}".encode()

    return at


def _description(random: Random, length: int) -> bytes:
    """Return a description, some padded with blanks or NULs as careless senders do."""
    forms = (b"%s", b" %s", b"%s\0", b"%s  ")
    form = random.choices(forms, (90, 3, 3, 4))[0]
    return (form % filler.text(random, length))[:64]


def _without_absent(random: Random, values: dict[str, Value | Varying]) -> dict[str, Value | Varying]:
    """Return the values of which some are dropped or empty, as often as in real archives."""
    absent = load_shapes().absent
    kept: dict[str, Value | Varying] = {}
    for keyword, value in values.items():
        if random.random() < absent.get(keyword, 0):
            continue
        empty = keyword in absent and random.random() < _VALUELESS_SHARE
        kept[keyword] = b"" if empty else value
    return kept


@cache
def _tag_and_vr(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    # Where the dictionary leaves a choice, the first is what devices write.
    return tag, dictionary_VR(tag).split()[0]

"""Terms of the standard that coded values should be taken from.

Scope: the lists. The rule that compares values with them is in ``values.py``.
"""

_MODALITIES = """
ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER
KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE
RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""
_RETIRED_MODALITIES = "AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF"

MODALITIES: frozenset[str] = frozenset(_MODALITIES.split()) | frozenset(_RETIRED_MODALITIES.split())
"""Defined terms of Modality, PS3.3 C.7.3.1.1.1; retired ones too: what older equipment wrote stays right."""

PATIENT_SEXES: frozenset[str] = frozenset("MFO")
"""Enumerated values of Patient's Sex, PS3.3 C.7.1.1."""

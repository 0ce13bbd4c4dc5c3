"""The bytes of one header become values: the field table, readers, value rules, hashes, reasons.

What belongs here knows DICOM (PS3.5, PS3.6, PS3.10) and no table format; Arrow begins in ``tables/``.
"""

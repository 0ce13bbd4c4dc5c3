"""Benchmarks of dicom-pipeline against its peers and its limits; ``benchmarks/README.md`` says how to run them.

Scope: measuring, and everything that needs only measuring: archives to measure with, peers, reports. Nothing of the
product imports this package.
"""

"""Synthetic archives to measure with: any size, seeded, quick to write, awkward where real archives are."""

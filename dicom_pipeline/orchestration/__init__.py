"""Dagster, and nothing else: assets, checks, IO managers, partitions, jobs."""

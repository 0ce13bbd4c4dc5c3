"""Dagster's instance of a home: where it is kept, its event log, and the UI and daemon on it."""

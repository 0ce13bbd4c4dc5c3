"""Data-quality rules: pure functions of Arrow tables that return findings."""

"""How the dates of an archive stand, and loading many of them through Dagster's own backfill."""

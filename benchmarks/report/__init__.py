"""The report: raw results become ``RESULTS.md`` and its plot."""

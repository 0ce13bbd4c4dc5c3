"""The embedded PostgreSQL: a real server from a wheel, private to one home directory.

Scope: ``EmbeddedPostgres`` and what it needs to live: binaries, the account it runs as, its directories, its process.
Clients see an ordinary PostgreSQL URL.
"""

from dicom_pipeline.warehouse.embedded.server import EmbeddedPostgres, EmbeddedStatus

__all__ = ["EmbeddedPostgres", "EmbeddedStatus"]

"""From a URL to a warehouse.

Scope: choosing the implementation. What a URL means is in ``url.py``; nothing connects before the first call.
"""

from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.url import parse_url


def create_warehouse(url: str, *, allow_schema_evolution: bool = False) -> Warehouse:
    """Return the warehouse the URL names; it connects when first used.

    Args:
        url: ``postgresql://…``, in any case, with any SQLAlchemy driver suffix and libpq's options.
        allow_schema_evolution: Whether ``prepare`` may add missing nullable columns to existing tables.

    Raises:
        UnsupportedDatabase: The URL names another database.
        ConfigurationError: The URL is wrong, or names a database this version cannot write yet.
    """
    from dicom_pipeline.warehouse.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(parse_url(url), allow_schema_evolution=allow_schema_evolution)

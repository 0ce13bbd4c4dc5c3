"""From a URL to a warehouse.

Scope: choosing the implementation. What a URL means is in ``url.py`` and in each database's folder; nothing connects
before the first call.
"""

from dicom_pipeline.warehouse.base import Warehouse
from dicom_pipeline.warehouse.url import split_url


def create_warehouse(url: str, *, allow_schema_evolution: bool = False) -> Warehouse:
    """Return the warehouse the URL names; it connects when first used.

    Args:
        url: ``postgresql://…`` with libpq's options, or ``doris://…`` with those of ``docs/doris.md``; the scheme in
            any case, with any SQLAlchemy driver suffix.
        allow_schema_evolution: Whether ``prepare`` may add missing nullable columns to existing tables.

    Raises:
        UnsupportedDatabase: The URL names another database.
        ConfigurationError: The URL is wrong.
    """
    kind, rest = split_url(url)
    if kind == "doris":
        from dicom_pipeline.warehouse.doris.url import parse_doris_url
        from dicom_pipeline.warehouse.doris.warehouse import DorisWarehouse

        return DorisWarehouse(parse_doris_url(rest), allow_schema_evolution=allow_schema_evolution)
    from dicom_pipeline.warehouse.postgres.url import parse_postgres_url
    from dicom_pipeline.warehouse.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(parse_postgres_url(rest), allow_schema_evolution=allow_schema_evolution)

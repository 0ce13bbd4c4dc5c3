"""Warehouse URLs: which database they name.

Scope: the scheme, in any case, with or without a driver after ``+``, which is accepted and ignored. What follows it is
the business of each database: ``postgres/url.py``, ``doris/url.py``.
"""

from dicom_pipeline.errors import UnsupportedDatabase

ACCEPTED = ("postgresql", "doris")


def split_url(url: str) -> tuple[str, str]:
    """Return which of ``ACCEPTED`` the URL names, and what follows ``://``.

    Raises:
        UnsupportedDatabase: It names another database, or none.
    """
    scheme, separator, rest = url.partition("://")
    kind = scheme.partition("+")[0].lower()
    if not separator or kind not in ACCEPTED:
        raise UnsupportedDatabase(f"the warehouse URL must begin with one of: {', '.join(f'{a}://' for a in ACCEPTED)}")
    return kind, rest


def warehouse_kind(url: str | None) -> str:
    """Return which of ``ACCEPTED`` a setting names; None, the embedded server, is PostgreSQL.

    Raises:
        UnsupportedDatabase: It names another database, or none.
    """
    return ACCEPTED[0] if url is None else split_url(url)[0]

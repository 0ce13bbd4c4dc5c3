"""Arrow becomes database rows: the Warehouse interface, PostgreSQL, the embedded server, DDL."""

"""PostgreSQL behind the Warehouse interface."""

"""Apache Doris behind the Warehouse interface."""

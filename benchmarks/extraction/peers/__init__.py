"""Who reads headers: one module a library, each peer as its own documentation has people use it."""

from benchmarks.extraction.peers.base import Peer, Row, Rows
from benchmarks.extraction.peers.dcmtk import DcmDump, DcmtkLibrary
from benchmarks.extraction.peers.dicomsdl import DicomSdl
from benchmarks.extraction.peers.floor import FloorInC, FloorInPython
from benchmarks.extraction.peers.gdcm import GdcmScanner
from benchmarks.extraction.peers.ours import Ours
from benchmarks.extraction.peers.pydicom import Pydicom

__all__ = ["OURS", "OURS_ON_TWO", "PEERS", "Peer", "Row", "Rows"]

OURS = "ours"
OURS_ON_TWO = "ours, two threads"
PEERS: dict[str, Peer] = {
    "pydicom": Pydicom(),
    "pydicom, specific_tags": Pydicom(only_wanted=True),
    "gdcm Scanner": GdcmScanner(),
    "dicomsdl": DicomSdl(),
    "dcmdump": DcmDump(),
    "DCMTK C++": DcmtkLibrary(),
    OURS: Ours("auto"),
    OURS_ON_TWO: Ours("auto", threads=2),
    "ours, pure": Ours("pure", slow=True),
    "ours, careful": Ours("pydicom", slow=True),
    "floor, C": FloorInC(),
    "floor, Python": FloorInPython(),
}

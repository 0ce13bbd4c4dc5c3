"""Certificates that are thrown away.

Scope: a CA and a certificate for localhost and 127.0.0.1, made with the ``openssl`` command into a given directory.
"""

import shutil
import ssl
import subprocess
from pathlib import Path

_DAYS = "2"
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl_is_here() -> bool:
    """Whether certificates can be made on this machine."""
    return shutil.which("openssl") is not None


def make_certificates(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the CA's file, and a server's context whose certificate it has signed."""
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    key, request, certificate = (directory / f"server.{kind}" for kind in ("key", "csr", "pem"))
    extensions = directory / "server.ext"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl("req", "-x509", *_CURVE, "-keyout", ca_key, "-out", ca, "-days", _DAYS, "-subj", "/CN=dorisdouble CA")
    _openssl("req", *_CURVE, "-keyout", key, "-out", request, "-subj", "/CN=localhost")
    signing = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", _DAYS, "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, *signing, "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return ca, context


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

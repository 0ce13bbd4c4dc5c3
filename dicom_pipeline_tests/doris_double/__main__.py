"""The double in the foreground, for a person.

Scope: the command line; ``python -m dicom_pipeline_tests.doris_double --port 9030 --http-port 8030``.
"""

import argparse
import contextlib
import threading

from dicom_pipeline_tests.doris_double import DorisDouble


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="doris_double", description="A test double of Apache Doris.")
    parser.add_argument("--port", type=int, default=9030, help="MySQL port")
    parser.add_argument("--http-port", type=int, default=8030, help="the frontend's HTTP port")
    parser.add_argument("--password", default="", help="of root; none by default")
    parser.add_argument("--tls", action="store_true", help="HTTPS, with a CA that is thrown away")
    options = parser.parse_args()
    double = DorisDouble(password=options.password, port=options.port, http_port=options.http_port, tls=options.tls)
    with double:
        double.query("CREATE DATABASE IF NOT EXISTS `dicom`")
        print(double.url(), flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()

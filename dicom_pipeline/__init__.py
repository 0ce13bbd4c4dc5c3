"""A hospital's DICOM archive as tables people can trust.

Only the version lives here, and by its short name the component for people who write ``defs.yaml``: importing the
package must cost nothing.
"""

__version__ = "0.1.0"

_COMPONENT = "DicomArchive"


def __getattr__(name: str) -> object:
    if name != _COMPONENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    # By its name, so that no folder imports orchestration through this module.
    return getattr(import_module("dicom_pipeline.orchestration.component"), name)


def __dir__() -> list[str]:
    return [*globals(), _COMPONENT]

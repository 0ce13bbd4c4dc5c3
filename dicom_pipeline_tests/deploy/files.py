"""What lies in ``deploy/``, read."""

from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
DAGSTER_SERVICES = ("code", "daemon", "webserver")


def documents(path: Path) -> list[Any]:
    """Every document of a YAML file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def compose() -> dict[str, Any]:
    """The file for containers on one machine."""
    (document,) = documents(DEPLOY / "compose.yaml")
    return dict(document)


def manifests() -> list[dict[str, Any]]:
    """Every object for Kubernetes that is applied."""
    (kustomization,) = documents(DEPLOY / "kubernetes/kustomization.yaml")
    return [m for name in kustomization["resources"] for m in documents(DEPLOY / "kubernetes" / name)]


def unit(name: str) -> list[tuple[str, str]]:
    """The settings of a systemd unit, in order; a key may come several times."""
    lines = (DEPLOY / f"systemd/dicom-pipeline-{name}.service").read_text(encoding="utf-8").splitlines()
    return [(key, value) for key, separator, value in (line.partition("=") for line in lines) if separator]


def environment_example() -> dict[str, str]:
    """The variables that whoever sets it up fills in."""
    lines = (DEPLOY / "environment.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

"""Files of ``deploy/`` are whole, and what they name is there: variables, commands, paths, services, volumes."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dagster._cli import create_dagster_cli
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

from dicom_pipeline.settings import Settings
from dicom_pipeline_tests.deploy.files import (
    DAGSTER_SERVICES,
    DEPLOY,
    compose,
    documents,
    environment_example,
    manifests,
    unit,
)

YAML_FILES = sorted(DEPLOY.rglob("*.yaml"))
WRITTEN_FOR_CONTAINERS = {"DICOM_PIPELINE_CONFIG", "DICOM_PIPELINE_HOME", "DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"}


def _of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {m["metadata"]["name"]: m for m in manifests() if m["kind"] == kind}


def _pod(name: str) -> dict[str, Any]:
    pod: dict[str, Any] = _of_kind("Deployment")[name]["spec"]["template"]["spec"]
    return pod


def _container(name: str) -> dict[str, Any]:
    (container,) = _pod(name)["containers"]
    return dict(container)


def _commands() -> list[list[str]]:
    places = [
        lambda name: compose()["services"][name]["command"],
        lambda name: _container(name)["command"],
        lambda name: shlex.split(dict(unit(name))["ExecStart"]),
    ]
    return [place(name) for name in DAGSTER_SERVICES for place in places]


def _instance_variables() -> set[str]:
    return set(re.findall(r"\{env: (\w+)\}", (DEPLOY / "dagster.yaml").read_text(encoding="utf-8")))


def _image_variables() -> set[str]:
    return set(re.findall(r"(\w+)=\S+(?= \\|$)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.relative_to(DEPLOY).as_posix())
def test_every_file_is_yaml(path: Path) -> None:
    assert all(document is not None for document in documents(path))


@pytest.mark.parametrize("command", _commands(), ids=lambda command: " ".join(command))
def test_commands_are_dagsters_and_take_these_options(command: list[str]) -> None:
    found: click.Command = {
        "dagster": create_dagster_cli,
        "dagster-daemon": create_dagster_daemon_cli,
        "dagster-webserver": create_dagster_webserver_cli,
    }[Path(command[0]).name]()
    here = {"/etc/dicom-pipeline/workspace.yaml": str(DEPLOY / "workspace.yaml")}
    name, arguments = Path(command[0]).name, [here.get(argument, argument) for argument in command[1:]]
    while isinstance(found, click.Group) and arguments and arguments[0] in found.commands:
        name, found = arguments[0], found.commands[arguments.pop(0)]
    assert not isinstance(found, click.Group) or found.invoke_without_command
    found.make_context(name, arguments)


def test_each_process_has_the_variables_of_the_instance() -> None:
    needed = _instance_variables()
    assert len(needed) == 5
    assert needed <= environment_example().keys()
    for name in DAGSTER_SERVICES:
        assert needed <= compose()["services"][name]["environment"].keys()
        assert needed <= _variables_in_kubernetes(name)
        assert ("EnvironmentFile", "/etc/dicom-pipeline/environment") in unit(name)


def _variables_in_kubernetes(name: str) -> set[str]:
    maps = _of_kind("ConfigMap")
    container = _container(name)
    given = {entry["name"] for entry in container["env"]}
    for source in container["envFrom"]:
        given |= maps[source["configMapRef"]["name"]]["data"].keys()
    return given


def test_only_the_code_location_knows_the_warehouse() -> None:
    secrets = {"DICOM_PIPELINE_WAREHOUSE", "PGPASSWORD"}
    for name in DAGSTER_SERVICES:
        here = secrets if name == "code" else set()
        assert secrets & compose()["services"][name]["environment"].keys() == here
        assert secrets & _variables_in_kubernetes(name) == here


@pytest.mark.parametrize("name", DAGSTER_SERVICES)
def test_units_and_image_set_the_same_variables(name: str) -> None:
    set_by_unit = {value.split("=")[0]: value.split("=", 1)[1] for key, value in unit(name) if key == "Environment"}
    assert set_by_unit.keys() >= WRITTEN_FOR_CONTAINERS | {"DAGSTER_REDACT_USER_CODE_ERRORS"}
    assert set_by_unit.keys() <= _image_variables()
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert all(f"{variable}={value}" in text for variable, value in set_by_unit.items())


def test_every_variable_of_compose_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked
    assert asked <= environment_example().keys()


def test_what_compose_names_is_declared() -> None:
    document = compose()
    for service in document["services"].values():
        assert set(service["networks"]) <= document["networks"].keys()
        assert set(service.get("depends_on", {})) <= document["services"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or source.startswith("${ARCHIVES") or (DEPLOY / source).exists()
    build = document["services"]["code"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]
    assert "--host 127.0.0.1" in dict(unit("webserver"))["ExecStart"]
    assert "--socket" in dict(unit("code"))["ExecStart"]
    assert all(m["spec"].get("type", "ClusterIP") == "ClusterIP" for m in _of_kind("Service").values())


def test_the_workspace_leads_to_the_code_location() -> None:
    ((server,),) = ([entry["grpc_server"] for entry in d["load_from"]] for d in documents(DEPLOY / "workspace.yaml"))
    for command in (compose()["services"][server["host"]]["command"], _container(server["host"])["command"]):
        assert command[command.index("--port") + 1] == str(server["port"])
    assert [port["port"] for port in _of_kind("Service")[server["host"]]["spec"]["ports"]] == [server["port"]]
    ((local,),) = (
        [entry["grpc_server"] for entry in d["load_from"]] for d in documents(DEPLOY / "systemd/workspace.yaml")
    )
    assert f"--socket {local['socket']} " in dict(unit("code"))["ExecStart"]
    assert Path(local["socket"]).parent.name == dict(unit("code"))["RuntimeDirectory"]


def test_settings_for_containers_are_valid(tmp_path: Path) -> None:
    in_kubernetes = tmp_path / "dicom_pipeline.yaml"
    in_kubernetes.write_text(_of_kind("ConfigMap")["settings"]["data"]["dicom_pipeline.yaml"])
    for path in (DEPLOY / "dicom_pipeline.yaml", in_kubernetes):
        settings = Settings.load(environment={"DICOM_PIPELINE_CONFIG": str(path)})
        assert [archive.tenant for archive in settings.archives] == ["hospital-a"]
        assert str(settings.home) == "/var/lib/dicom-pipeline"
        assert settings.archives[0].root.startswith("/archives/")


def test_the_image_holds_what_commands_and_variables_name() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied: dict[str, Path] = {}
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            assert (DEPLOY.parent / source).exists(), source
            assert f"!{source}" in (DEPLOY.parent / ".dockerignore").read_text().splitlines()
            copied[target + Path(source).name if target.endswith("/") else target] = DEPLOY.parent / source
    for service in ("daemon", "webserver"):
        command = compose()["services"][service]["command"]
        assert copied[command[command.index("--workspace") + 1]] == DEPLOY / "workspace.yaml"
    assert copied["/var/lib/dicom-pipeline/dagster/dagster.yaml"] == DEPLOY / "dagster.yaml"
    assert copied["/etc/dicom-pipeline/dicom_pipeline.yaml"] == DEPLOY / "dicom_pipeline.yaml"


def test_what_kubernetes_names_is_declared() -> None:
    maps, claims = _of_kind("ConfigMap"), _of_kind("PersistentVolumeClaim")
    labels = [m["spec"]["template"]["metadata"]["labels"] for m in manifests() if "template" in m.get("spec", {})]
    for name in DAGSTER_SERVICES:
        volumes = {volume["name"]: volume for volume in _pod(name).get("volumes", [])}
        assert {mount["name"] for mount in _container(name).get("volumeMounts", [])} == volumes.keys()
        assert {v["configMap"]["name"] for v in volumes.values() if "configMap" in v} <= maps.keys()
        claimed = {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "persistentVolumeClaim" in v}
        assert claimed <= claims.keys()
    selectors = [m["spec"]["selector"] for m in _of_kind("Service").values()]
    selectors += [
        s["matchLabels"]
        for policy in _of_kind("NetworkPolicy").values()
        for s in [policy["spec"]["podSelector"], *_peers(policy)]
        if s
    ]
    for selector in selectors:
        assert any(selector.items() <= pod.items() for pod in labels), selector


def _peers(policy: dict[str, Any]) -> list[dict[str, Any]]:
    rules = policy["spec"].get("ingress", [])
    return [peer["podSelector"] for rule in rules for peer in rule["from"] if "podSelector" in peer]


def test_passwords_come_from_the_secret_alone() -> None:
    text = yaml.safe_dump_all(manifests())
    keys = set(re.findall(r"key: (\w+)\n\s+name: dicom-pipeline$", text, re.MULTILINE))
    assert keys == {"DAGSTER_PG_PASSWORD", "PGPASSWORD"}
    assert "kind: Secret" not in text


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_puts_the_objects_together() -> None:
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == len(manifests())
    images = {
        c["image"] for m in made if m["kind"] == "Deployment" for c in m["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"dicom-pipeline:0.1.0"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").glob("dicom-pipeline*"):
        # The programs are not in /opt here.
        text = path.read_text(encoding="utf-8").replace("/opt/dicom-pipeline/bin/dagster", "/bin/true ")
        (tmp_path / path.name).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())
    assert len(units) == 4
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "dicom-pipeline" in line]
    assert (done.returncode, told) == (0, [])

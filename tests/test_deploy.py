"""The files in deploy/ and the Containerfile: understood by their own tools, and they agree with each other."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from connector_core.cli.beside.place import socket_beside
from connector_core.config import read_config
from connector_core.config.models import EngineSettings
from connector_core.config.starting import refuse_start
from tests.support.needed import require
from tools.container_steps import steps

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
STATE = "/var/lib/connector"


def run(*command):
    """Run a tool of the virtual environment; it has to be content."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name):
    """Return where a tool of the virtual environment is."""
    return Path(sys.executable).with_name(name)


def documents(path):
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def loaded(path, text, tmp_path):
    """Return a configuration whose references to files lead to files of the test."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in re.findall(r"\$\{file:[^}]*/([a-z_]+)\}", text):
        (secrets / name).write_text("a value of many letters".replace(" ", "-"))
    config = tmp_path / path
    config.write_text(re.sub(r"\$\{file:[^}]*/([a-z_]+)\}", rf"${{file:{secrets}/\1}}", text))
    read, _ = read_config(config)
    return read


def test_the_linter_of_containerfiles_finds_nothing():
    """Without a setting that silences it, but where the file itself says why."""
    run(tool("hadolint"), "--failure-threshold=style", "Containerfile")


def test_the_image_runs_as_a_number_that_is_not_root_and_keeps_one_volume():
    """As the manifests say of it."""
    last = dict(steps((ROOT / "Containerfile").read_text()))

    user, group = last["USER"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert last["VOLUME"] == STATE
    assert f"--uid {user} " in last["RUN"]
    assert f"install -d -m 700 -o connector -g connector {STATE}" in last["RUN"]
    for path in KUBERNETES:
        (pod,) = [one["spec"]["template"]["spec"] for one in documents(path) if "template" in one.get("spec", {})]
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert pod["securityContext"]["runAsGroup"] == pod["securityContext"]["fsGroup"] == int(group)


def test_the_image_has_every_plugin_and_no_stand_in():
    """All that is installed from is in the context of the build, and nothing of the tests."""
    build = " ".join(rest for name, rest in steps((ROOT / "Containerfile").read_text()) if name == "RUN")
    plugins = {path.name for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").exists()}
    taken = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert set(re.findall(r"\./plugins/(\w+)", build)) == {one for one in plugins if not one.endswith("_sandbox")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    held = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"])
    assert {one for one in held if one not in taken and one.partition("/")[0] not in taken} == set()
    assert {one for one in taken if one not in held} == {
        *("connector_core", "plugins", "config", "constraints.txt", "pyproject.toml", "README.md", "LICENSE")
    }


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_keeps_to_the_specification(path):
    """Each key is one, and what is referred to is there."""
    compose = PyCompose.from_yaml(path.read_text())

    compose.to_spec()
    compose.validate()

    for name in {"connector", "one", "two"} & set(compose.service_names()):
        service = documents(path)[0]["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert float(service["stop_grace_period"].rstrip("s")) > EngineSettings().stop_deadline_s
        assert [one for one in (*service["volumes"], *service["tmpfs"]) if STATE in one]


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_a_manifest_keeps_to_the_schemas_of_kubernetes(path):
    """Strictly: a key that is unknown is refused."""
    run(tool("kubernetes-validate"), "--strict", path)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_a_manifest_agrees_with_itself(path):
    """Names, ports and times lead to what there is."""
    by_kind = {}
    for one in documents(path):
        by_kind.setdefault(one["kind"], []).append(one)
    (workload,) = by_kind.get("Deployment", []) + by_kind.get("StatefulSet", [])
    template, pod = workload["spec"]["template"], workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    names = {one["name"] for one in pod["volumes"] + workload["spec"].get("volumeClaimTemplates", []) if "name" in one}
    names |= {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", [])}

    assert {one["name"] for one in container["volumeMounts"]} == names
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["terminationGracePeriodSeconds"] > (
        EngineSettings().stop_deadline_s + container["lifecycle"]["preStop"]["sleep"]["seconds"]
    )
    for probe, where in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": where, "port": "http"}
    for service in by_kind["Service"]:
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= set(ports)
    (ingress,) = by_kind["Ingress"]
    (route,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert route["backend"]["service"]["name"] in {one["metadata"]["name"] for one in by_kind["Service"]}
    assert container["image"].endswith(":" + _version())
    if workload["kind"] == "Deployment":  # one after the other, and never fewer than are wanted
        assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def _version():
    return re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]


def configurations():
    """Return every configuration for a container, by its name."""
    found = {path.name: path.read_text() for path in sorted((DEPLOY / "compose").glob("connector*.yaml"))}
    for path in KUBERNETES:
        (data,) = [one["data"] for one in documents(path) if one["kind"] == "ConfigMap"]
        found[f"kubernetes-{path.name}"] = data["connector.yaml"]
    return found


@pytest.mark.parametrize("name", configurations())
def test_a_configuration_of_a_container_is_valid(name, tmp_path):
    """It listens where the probes ask, keeps its file in the volume, and asks people for a password."""
    config = loaded(name, configurations()[name], tmp_path)

    refuse_start(config)
    assert (config.server.host, config.server.port) == ("0.0.0.0", 8080)  # noqa: S104 - read, not bound
    assert config.server.metrics.port == 9464
    assert "postgresql" in name or str(config.database).endswith(f"{STATE}/connector.db")
    assert config.server.trusted_proxies != ("127.0.0.1", "::1")
    # Where commands find the daemon, so that `exec` needs no second opinion about the file: writable, and of this one.
    database = f"sqlite:///{config.database}" if isinstance(config.database, Path) else str(config.database)
    assert socket_beside("/etc/connector/connector.yaml", database, config.command_socket).startswith(f"{STATE}/")


@pytest.mark.parametrize("name", ["compose", "compose.postgresql"])
def test_the_network_of_a_compose_file_is_trusted_by_its_configuration(name, tmp_path):
    """What stands in front names the sender; the default network would have another address each time."""
    compose = documents(DEPLOY / f"{name}.yaml")[0]
    file = "connector.yaml" if name == "compose" else "connector-postgresql.yaml"
    config = loaded(file, (DEPLOY / "compose" / file).read_text(), tmp_path)

    assert config.server.trusted_proxies == (compose["networks"]["front"]["ipam"]["config"][0]["subnet"],)


def test_yaml_is_written_as_the_linter_wants_it():
    """Of all that is deployed."""
    run(tool("yamllint"), "--strict", "deploy")


@pytest.mark.extended
def test_the_load_balancer_of_the_compose_file_is_understood():
    """By HAProxy itself; the names of connectors are known only inside."""
    run(require("haproxy"), "-c", "-f", DEPLOY / "compose" / "haproxy.cfg")


def test_systemd_understands_the_unit(tmp_path):
    """Each key of it; what it starts is not installed here."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "connector.service"
    text = (DEPLOY / "connector.service").read_text()
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))

    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False)

    assert "connector.service" not in done.stderr, done.stderr
    assert configparser.ConfigParser(strict=False, interpolation=None).read(unit)


def test_every_file_is_in_the_table_of_the_folder():
    """So that somebody finds it."""
    text = (DEPLOY / "README.md").read_text()
    linked = {(DEPLOY / name).resolve() for name in re.findall(r"\]\(([^)#]+)\)", text)}
    inner = {DEPLOY / "compose", DEPLOY / "monitoring"}  # of the file beside, or with a page of their own
    files = {path for path in DEPLOY.rglob("*") if path.is_file() and not inner & set(path.parents)}

    assert all(path.exists() for path in linked)
    assert files - linked == {DEPLOY / "README.md"}

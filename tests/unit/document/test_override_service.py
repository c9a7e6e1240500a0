"""The test stack as text: what is taken off the origin, what is kept, and that no value of it is copied."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cutover.document.override import Facts, OverrideRequest, TestPort, derive, untouched
from cutover.document.override.text import ports_in
from cutover.errors import UsageError

PORTS = (TestPort(5570, 20001, 5570, origin_target=5570),)


def made(service, request=None, *, ports=PORTS, others=None, **facts):
    """Derive the override of service `suite` in a project `demo`."""
    model = {"name": "demo", "services": {"suite": service, **(others or {})}}
    known = {"sources": ("docker-compose.yml",), "like": None, "env": {}, **facts}
    return derive(
        Facts(model, model, folder=Path("/srv"), project="demo", name="suite_test", origin="suite", **known),
        ports,
        request or OverrideRequest(),
    )


def parsed(override, document=-1):
    """Return the service of a document of the file; tags are kept as {tag: value}."""
    yaml = YAML(typ="safe", pure=True)
    for tag in ("!override", "!reset"):
        yaml.constructor.add_constructor(tag, lambda loader, node: {str(node.tag): _plain(loader, node)})
    return list(yaml.load_all(override.text))[document]["services"]["suite_test"]


def _plain(loader, node):
    match node.id:
        case "sequence":
            return loader.construct_sequence(node, deep=True)
        case "mapping":
            return loader.construct_mapping(node, deep=True)
    return None


def test_the_least():
    """It extends, is named, listens on the loopback, and is not started again when it fails."""
    found = made({"image": "x", "ports": []})
    service = parsed(found)
    assert service == {
        "extends": {"file": "docker-compose.yml", "service": "suite"},
        "container_name": "${COMPOSE_PROJECT_NAME}-suite_test",
        "restart": "no",
        "labels": {"!override": {"cutover.test-of": "suite", "cutover.test-ports": "5570:20001"}},
        "ports": {"!override": ["127.0.0.1:20001:5570"]},
    }
    assert found.expected["container_name"] == "demo-suite_test"
    assert untouched(found.text)
    assert ports_in(found.text) == {5570: 20001}
    assert not untouched(found.text.replace("20001:5570", "20009:5570"))


def test_what_would_reach_green_is_taken_off():
    """Aliases, addresses, labels that proxies read, host names, replicas, restart policies, a scale."""
    service = parsed(
        made(
            {
                "image": "x",
                "hostname": "suite",
                "labels": {"traefik.enable": "true"},
                "networks": {"a": {"aliases": ["suite"], "ipv4_address": "10.0.0.2", "priority": 3}, "b": None},
                "deploy": {"replicas": 3, "restart_policy": {"condition": "any"}},
                "scale": 3,
                "mac_address": "02:42:ac:11:00:02",
                "volumes_from": ["green", "other:ro"],
            }
        )
    )
    assert service["hostname"] == "suite_test"
    assert "traefik.enable" not in service["labels"]["!override"]
    assert service["networks"] == {"!override": {"a": {"priority": 3}, "b": {}}}
    assert service["deploy"] == {"replicas": 1, "restart_policy": {"!reset": None}}
    assert service["scale"] == 1
    assert service["mac_address"] == {"!reset": None}
    assert service["volumes_from"] == {"!override": ["green:ro", "other:ro"]}


def test_a_service_that_is_built():
    """The image that Compose built is run, and nothing is built for the test."""
    found = made({"build": {"context": "."}, "pull_policy": "build"})
    service = parsed(found)
    assert service["image"] == "${COMPOSE_PROJECT_NAME}-suite"
    assert (service["build"], service["pull_policy"]) == ({"!reset": None}, {"!reset": None})
    assert found.expected["image"] == "demo-suite"


MOUNTS = [
    {"type": "volume", "source": "shared", "target": "/shared"},
    {"type": "volume", "source": "own", "target": "/own"},
    {"type": "volume", "target": "/anonymous"},
    {"type": "bind", "source": "/srv/data", "target": "/data"},
    {"type": "bind", "source": "/var/run/docker.sock", "target": "/sock"},
    {"type": "bind", "source": "/etc/x", "target": "/etc/x", "read_only": True},
    {"type": "tmpfs", "target": "/tmp"},
]


def test_it_cannot_write_what_others_read():
    """Shared volumes and folders of the host are read-only, what is its own alone is a volume of the test's own."""
    others = {"green": {"volumes": [{"type": "volume", "source": "shared", "target": "/g"}]}}
    found = made({"image": "x", "volumes": MOUNTS}, others=others)
    assert parsed(found)["volumes"] == [
        {"type": "volume", "source": "shared", "target": "/shared", "read_only": True},
        {"type": "volume", "source": "suite_test_own", "target": "/own"},
        {"type": "bind", "source": "./data", "target": "/data", "read_only": True},
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/sock", "read_only": True},
    ]
    assert found.expected_volumes == ("suite_test_own",)
    assert any("/sock is a socket" in w for w in found.warnings)
    assert [m["target"] for m in found.expected["volumes"]] == [m["target"] for m in MOUNTS]


def test_mounts_as_the_user_wants_them():
    """--share, --own and --read-only, by target."""
    request = OverrideRequest(share=("/data",), own=("/shared",), read_only=("/own",))
    entries = {m["target"]: m for m in parsed(made({"image": "x", "volumes": MOUNTS}, request))["volumes"]}
    assert "/data" not in entries
    assert entries["/shared"]["source"] == "suite_test_shared"
    assert entries["/own"] == {"type": "volume", "source": "own", "target": "/own", "read_only": True}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (OverrideRequest(own=("/dat",)), "did you mean /data?"),
        (OverrideRequest(own=("/data",), share=("/data",)), "only one of"),
    ],
)
def test_mounts_that_make_no_sense(request_, words):
    """A target that is not there, or is named twice."""
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        made({"image": "x", "volumes": MOUNTS}, request_)


GPU = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
TPU = {"driver": "tpu", "count": 1, "capabilities": ["tpu"]}


@pytest.mark.parametrize(
    ("request_", "devices"),
    [
        (OverrideRequest(gpus=2), [TPU, {"driver": "nvidia", "count": 2, "capabilities": ["gpu"]}]),
        (
            OverrideRequest(gpu_ids=("0", "1")),
            [TPU, {"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": ["gpu"]}],
        ),
        (OverrideRequest(no_gpu=True), [TPU]),
    ],
)
def test_gpus(request_, devices):
    """Another reservation, or none; whatever else is reserved stays."""
    found = made({"image": "x", "deploy": {"resources": {"reservations": {"devices": [GPU, TPU]}}}}, request_)
    assert parsed(found)["deploy"]["resources"]["reservations"]["devices"] == {"!override": devices}
    assert found.expected["deploy"]["resources"]["reservations"]["devices"] == devices


def test_no_gpu_by_any_way():
    """`gpus:`, the runtime, and device files."""
    service = {"image": "x", "gpus": [GPU], "runtime": "nvidia", "devices": [{"source": "/dev/nvidia0"}, "/dev/kvm"]}
    found = parsed(made(service, OverrideRequest(no_gpu=True)))
    assert (found["gpus"], found["runtime"]) == ({"!reset": None}, {"!reset": None})
    assert found["devices"] == {"!override": ["/dev/kvm"]}
    assert "gpus" not in parsed(made(service))


def test_a_service_in_several_files():
    """It is extended from each of them, a document each, as Compose merges them."""
    found = made({"image": "x"}, sources=("a.yml", "b.yml"))
    assert parsed(found, 0) == {"extends": {"file": "a.yml", "service": "suite"}}
    assert parsed(found, 1)["extends"] == {"file": "b.yml", "service": "suite"}


def test_from_an_image():
    """Green's networks and dependencies, none of its variables."""
    green = {
        "image": "old",
        "environment": {"SECRET": "hunter2"},
        "networks": {"default": {"aliases": ["green"]}},
        "depends_on": {"redis": {"condition": "service_healthy", "required": True}},
    }
    found = made({}, OverrideRequest(image="new:1"), others={"green": green}, sources=(), like="green")
    service = parsed(found)
    assert service["image"] == "new:1"
    assert service["depends_on"] == green["depends_on"]
    assert service["networks"] == {"!override": {"default": {}}}
    assert "hunter2" not in found.text


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (OverrideRequest(environment=(("DB_PASSWORD", "hunter2"),)), "environment.DB_PASSWORD"),
        (OverrideRequest(environment=(("DB_PASSWORD", "$hunter2"),)), "environment.DB_PASSWORD"),
        (OverrideRequest(environment=(("DSN", "amqp://me:hunter2@mq/"),)), "environment.DSN"),
        (OverrideRequest(command=("x", "--token", "hunter2")), "command"),
    ],
)
def test_a_secret_that_the_user_gives(request_, place):
    """It is written as it was asked, with a warning that names it and not its value, and for the owner alone."""
    found = made({"image": "x"}, request_)
    assert found.private
    assert [w for w in found.warnings if w.startswith(f"{place} ")]
    assert "hunter2" not in " ".join(found.warnings)
    assert ("--env DB_PASSWORD without" in found.warnings[0]) is (place == "environment.DB_PASSWORD")


@pytest.mark.parametrize(
    "environment",
    [(("DB_PASSWORD", None),), (("DB_PASSWORD", ""),), (("LOG_LEVEL", "debug"),), (("MAX_TOKENS", "4096"),)],
)
def test_what_is_no_secret_in_the_file(environment):
    """A name alone takes its value from outside, where it is not written down."""
    found = made({"image": "x"}, OverrideRequest(environment=environment))
    assert (found.private, found.warnings) == (False, ())


def test_what_the_user_sets():
    """Variables and a command, with nothing in them that Compose would interpolate."""
    request = OverrideRequest(environment=(("A", "$x"), ("B", None)), command=("run", "$y", "a b"))
    service = parsed(made({"image": "x"}, request))
    assert service["environment"] == {"A": "$$x", "B": None}
    assert service["command"] == ["run", "$$y", "a b"]
    assert "$x" not in repr(request)


SECRET = st.text(alphabet="abcdefghijkmnpqrstuvwxyz:/@=.${}'\" ", min_size=9, max_size=20).map(
    lambda t: f"S3cr3T{t}T3rc3S"
)


@given(st.dictionaries(st.sampled_from(["PORT", "TOKEN", "URL", "BIND"]), SECRET, min_size=1), st.lists(SECRET))
def test_no_value_of_the_origin_is_in_the_file(environment, command):
    """Whatever its variables, labels, build arguments, command and healthcheck hold."""
    secrets = [*environment.values(), *command]
    service = {
        "build": {"args": dict(environment)},
        "environment": {**environment, "AGENT_PORT": "5570"},
        "labels": dict(environment),
        "command": command,
        "healthcheck": {"test": ["CMD", *command]},
        "extra_hosts": command,
    }
    found = made(service)
    assert not any(secret in found.text for secret in secrets)
    assert "S3cr3T" not in found.text + repr(found)

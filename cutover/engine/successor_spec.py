"""A container as data from which it can be made again: settings, host settings, networks, labels, volumes.

The data holds environment values, secrets among them: whoever keeps it keeps it where only its owner reads (0600).
"""

from __future__ import annotations

import base64
import copy
import io
import posixpath
import re
import tarfile
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias, cast

import docker.errors
import requests.exceptions
from docker.utils import version_lt

from cutover.engine.belongings import volumes_of
from cutover.engine.daemon import API_TIMEOUT_S, Daemon
from cutover.engine.inspect import container_from
from cutover.engine.translate import translated
from cutover.errors import EngineError
from cutover.model import Container

Spec: TypeAlias = dict[str, Any]

ALL_NETWORKS_API = "1.44"
"""From Engine 25 on a container can be created on several networks at once."""
_SHORT_ID = 12
_HEX = re.compile("[0-9a-f]{64}")
_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority")
_NO_ENDPOINTS = ("host", "none", "default", "bridge")


def clone_spec(daemon: Daemon, container_id: str, *, without: Collection[str] = (), files: Sequence[str] = ()) -> Spec:
    """Return what `create_from_spec` needs to make a container again exactly as it is: JSON-ready, and secret.

    The image is named by its ID. Its anonymous volumes are named, so that a new container gets the same data while
    they exist: `Daemon.remove` deletes them, `remove_keeping_volumes` does not. `without` are networks that the
    container is on for the time being. `files` are paths inside it that are kept by content, for those that are in no
    image and no volume (`successor_files.injected_files`).

    Raises:
        EngineError: it is gone, or one of `files` is not in it.

    """
    with translated(f"Reading container {container_id[:12]}"):
        details = daemon.api.inspect_container(container_id)
        kept = {path: _packed(daemon, container_id, path) for path in files}
    volumes = anonymous_volumes(daemon, details)
    return spec_from(details, without=without) | {"volumes": volumes, "files": kept}


def spec_from(details: Mapping[str, Any], *, without: Collection[str] = ()) -> Spec:
    """Return the spec of what `GET /containers/{id}/json` gave, its anonymous volumes and injected files left out."""
    config = {key: value for key, value in copy.deepcopy(dict(details["Config"])).items() if value is not None}
    short = details["Id"][:_SHORT_ID]
    if config.get("Hostname") == short:
        del config["Hostname"]
    host = copy.deepcopy(dict(details["HostConfig"]))
    return {
        "name": details["Name"].lstrip("/"),
        "image_id": details["Image"],
        "config": config,
        "host": host,
        "networks": _networks(details, short, without),
        "volumes": {},
        "files": {},
    }


def anonymous_volumes(daemon: Daemon, details: Mapping[str, Any]) -> dict[str, str]:
    """Return a container's own volumes that nobody named: where they are mounted, and what Docker calls them.

    What it has by `volumes_from:` is another container's.
    """
    lenders = [entry.partition(":")[0] for entry in details["HostConfig"].get("VolumesFrom") or ()]
    borrowed = {name for lender in lenders for name in volumes_of(daemon, lender)}
    return {path: name for path, name in _nameless(details).items() if name not in borrowed}


def _nameless(details: Mapping[str, Any]) -> dict[str, str]:
    host = details["HostConfig"]
    named = {bind.split(":")[1] for bind in host.get("Binds") or () if ":" in bind}
    named |= {mount["Target"] for mount in host.get("Mounts") or () if mount.get("Source")}
    volumes = [m for m in details.get("Mounts") or () if m.get("Type") == "volume" and m["Destination"] not in named]
    return {m["Destination"]: m["Name"] for m in volumes if _HEX.fullmatch(m.get("Name") or "")}


def create_from_spec(daemon: Daemon, spec: Spec, name: str) -> Container:
    """Create the container of a spec under a name, without starting it.

    Its anonymous volumes are mounted again where they still exist. A network that is gone is an error.

    Raises:
        EngineError: the name is taken, the image or a network is gone, or the Engine refused.

    """
    networks = [(str(network), cast("Spec", endpoint)) for network, endpoint in spec["networks"]]
    for network, _ in networks:  # the Engine itself (20.10) finds that out when the container starts
        if not daemon.network_exists(network):
            raise EngineError("network-gone", f"The network {network} of {spec['name']} is gone.")
    at_once = networks if not version_lt(daemon.api.api_version, ALL_NETWORKS_API) else networks[:1]
    body = {
        **spec["config"],
        "Image": _image(daemon, spec),
        "HostConfig": _host(daemon, spec),
        "NetworkingConfig": {"EndpointsConfig": dict(at_once)},
    }
    with translated(f"Creating container {name}"):
        api: Any = daemon.api
        made = str(api.create_container_from_config(body, name)["Id"])
    try:
        with translated(f"Completing container {name}"):
            for network, endpoint in networks[len(at_once) :]:
                _connect(daemon, network, made, endpoint)
            for packed in spec["files"].values():
                daemon.api.put_archive(made, "/", base64.b64decode(packed))
            return container_from(daemon.api.inspect_container(made))
    except BaseException:
        daemon.api.remove_container(made, v=True, force=True)
        raise


def remove_keeping_volumes(daemon: Daemon, container: Container) -> None:
    """Remove a stopped container but none of its volumes, anonymous ones included; nothing happens where it is gone."""
    with translated(f"Removing container {container.name}"):
        try:
            daemon.api.remove_container(container.id, v=False, force=False)
        except docker.errors.NotFound:
            return


def _networks(details: Mapping[str, Any], short: str, without: Collection[str]) -> list[list[Any]]:
    """Return networks with what the container wants there, the one that it is created on first."""
    mode = str(details["HostConfig"].get("NetworkMode") or "")
    if mode in _NO_ENDPOINTS or mode.startswith("container:"):
        return []
    found = {n: e for n, e in (details["NetworkSettings"].get("Networks") or {}).items() if n not in without}
    ordered = sorted(found, key=lambda name: (name != mode, name))
    return [[name, _endpoint(found[name], short)] for name in ordered]


def _endpoint(endpoint: Mapping[str, Any], short: str) -> Spec:
    kept = {key: copy.deepcopy(endpoint[key]) for key in _ENDPOINT if endpoint.get(key)}
    if "Aliases" in kept:
        kept["Aliases"] = [alias for alias in kept["Aliases"] if alias != short]
    return kept


def _image(daemon: Daemon, spec: Spec) -> str:
    """Return the image's name while that still leads to the same image, else its ID."""
    name = str(spec["config"]["Image"])
    if daemon.image_id(name) == spec["image_id"]:
        return name
    if daemon.image_id(spec["image_id"]) is None:
        raise EngineError(
            "image-gone",
            f"The image of {spec['name']} ({name}, {spec['image_id'][:19]}) is gone.",
            hint="build or pull it again; cutover keeps containers, not images, from being pruned",
        )
    return str(spec["image_id"])


def _host(daemon: Daemon, spec: Spec) -> Spec:
    """Return the host settings, with the anonymous volumes that still exist by their names."""
    host: Spec = copy.deepcopy(spec["host"])
    there = {path: name for path, name in spec["volumes"].items() if _volume_exists(daemon, name)}
    if there:
        mounts = [m for m in host.get("Mounts") or () if m.get("Source") or m.get("Target") not in there]
        host["Mounts"] = mounts
        host["Binds"] = [*(host.get("Binds") or ()), *(f"{name}:{path}" for path, name in there.items())]
    return host


def _volume_exists(daemon: Daemon, name: str) -> bool:
    with translated(f"Looking for volume {name[:_SHORT_ID]}"):
        try:
            daemon.api.inspect_volume(name)
        except docker.errors.NotFound:
            return False
    return True


def _connect(daemon: Daemon, network: str, container_id: str, endpoint: Spec) -> None:
    api = daemon.api
    reply = api.post(  # the library's own call knows only some of an endpoint's fields
        f"{api.base_url}/v{api.api_version}/networks/{network}/connect",
        json={"Container": container_id, "EndpointConfig": endpoint},
        timeout=API_TIMEOUT_S,
    )
    try:
        reply.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)


def _packed(daemon: Daemon, container_id: str, path: str) -> str:
    """Return a file or folder of a container as an archive that is unpacked at its root."""
    stream, _ = daemon.api.get_archive(container_id, path)
    folder = posixpath.dirname(path).lstrip("/")
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as found,
        tarfile.open(fileobj=out, mode="w") as rooted,
    ):
        for member in found:
            content = found.extractfile(member) if member.isreg() else None
            member.name = posixpath.join(folder, member.name)
            rooted.addfile(member, content)
    return base64.b64encode(out.getvalue()).decode()

"""The Docker Engine: containers, networks, images, as values of `cutover.model`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import docker
import docker.errors
import requests.exceptions
from docker.models.containers import Container as DockerContainer
from docker.types import IPAMConfig, IPAMPool
from docker.utils import version_lt

from cutover.engine.address import EngineAddress
from cutover.engine.inspect import container_from, ids_in
from cutover.engine.translate import translated
from cutover.errors import EngineError
from cutover.model import Container
from cutover.redact import redacted

API_TIMEOUT_S = 60
GATEWAY_PRIORITY_API = "1.48"
"""Engine 28.0: from here on a container's endpoints have a priority, and names decide between equals only."""
GATEWAY_PRIORITY = 2**31 - 1


def see_engine(address: EngineAddress) -> None:
    """See that the Engine answers: an error of the Docker CLI does not tell its silence from its refusal.

    Raises:
        EngineGoneError: it does not.

    """
    Daemon(address).close()


def _client(address: EngineAddress) -> docker.DockerClient:
    over_ssh = address.url.startswith("ssh://")
    try:
        return docker.DockerClient(
            base_url=address.url,
            timeout=API_TIMEOUT_S,
            tls=address.tls or False,
            use_ssh_client=over_ssh,
            version="auto",
        )
    except docker.errors.DockerException as error:
        if over_ssh and "paramiko" in str(error):  # the library wants it even where it runs the `ssh` command
            raise EngineError(
                "ssh-needs-paramiko",
                f"Talking to {address.url}: for an Engine behind SSH the Python package paramiko is needed.",
                evidence=[str(error)],
                hint="pip install 'cutover[ssh]'",
            ) from error
        raise


class Daemon:
    """A Docker Engine that answered when this was made. Every method raises EngineError where it refuses."""

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        with translated(f"Talking to {address.url}"):
            self._client = _client(address)

    def version(self) -> str:
        """Return the Engine's version."""
        with translated("Asking the Engine for its version"):
            return str(self._client.version()["Version"])

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @property
    def api(self) -> docker.APIClient:
        """Return the library's client, for the modules of this package only."""
        return self._client.api

    def run_once(self, image: str, argv: list[str], **options: Any) -> bytes:
        """Run a command in a container of its own, which is removed afterwards, and return its output.

        `options` are those of the library. It can write nothing, and get no rights that it was not given.

        Raises:
            EngineError: the command is not there, or failed.

        """
        with translated(f"Running {argv[0]} in a container of {image}"):
            safe = {"read_only": True, "security_opt": ["no-new-privileges:true"], **options}
            # A proxy in ~/.docker/config.json may have a password, and would stand in the container's environment.
            output = self._client.containers.run(image, argv, remove=True, use_config_proxy=False, **safe)
        assert isinstance(output, bytes)
        return output

    # -- containers --------------------------------------------------------------------------------------------------

    def containers(self, project: str | None = None) -> list[Container]:
        """Return all containers, or those of one Compose project (its one-off `run` containers left out)."""
        labels = [f"com.docker.compose.project={project}", "com.docker.compose.oneoff=False"] if project else []
        with translated("Listing containers"):
            found = self._client.api.containers(all=True, filters={"label": labels})
            details = (self._details(name) for name in ids_in(found))
            return sorted((container_from(d) for d in details if d), key=lambda c: (c.service, c.name))

    def _details(self, container_id: str) -> dict[str, Any] | None:
        try:
            inspected: dict[str, Any] = self._client.api.inspect_container(container_id)
        except docker.errors.NotFound:  # removed between the listing and now
            return None
        return inspected

    def of_service(self, project: str, service: str) -> list[Container]:
        """Return the containers of one service of a project, running ones first."""
        found = [c for c in self.containers(project) if c.service == service]
        return sorted(found, key=lambda c: (not c.running, c.name))

    def container(self, container_id: str) -> Container | None:
        """Return one container by ID or name, None where it is gone."""
        with translated(f"Inspecting container {container_id[:12]}"):
            details = self._details(container_id)
        return container_from(details) if details else None

    def start(self, container_id: str) -> None:
        """Start a container; nothing happens where it runs already."""
        with translated(f"Starting container {container_id[:12]}"):
            self._container(container_id).start()

    def stop(self, container: Container) -> None:
        """Stop a container within its own grace period; nothing happens where it is stopped or gone."""
        with translated(f"Stopping container {container.name}"):
            try:
                self._container(container.id).stop(timeout=int(container.stop_timeout_s))
            except docker.errors.NotFound:
                return

    def remove(self, container: Container) -> None:
        """Remove a stopped container and its anonymous volumes; nothing happens where it is gone."""
        with translated(f"Removing container {container.name}"):
            try:
                self._container(container.id).remove(v=True, force=False)
            except docker.errors.NotFound:
                return

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name, running or not; names that its peers know it by follow."""
        with translated(f"Renaming {container_id[:12]} to {name}"):
            self._container(container_id).rename(name)

    def set_restart_policy(self, container_id: str, policy: str) -> None:
        """Set the restart policy (`no`, `always`, `unless-stopped`, `on-failure:3`); Compose does not look at it."""
        name, _, retries = policy.partition(":")
        value: Any = {"Name": name, "MaximumRetryCount": int(retries or 0)}
        with translated(f"Setting the restart policy of {container_id[:12]}"):
            self._container(container_id).update(restart_policy=value)

    def logs(self, container_id: str, tail: int = 20, *, since: float | None = None) -> list[str]:
        """Return the last lines of a container's output, its secrets masked; those `since` a moment (Unix seconds)."""
        with translated(f"Reading the log of {container_id[:12]}"):
            details = self._details(container_id)
            if details is None:
                return []
            raw = self._client.api.logs(container_id, tail=tail, since=since)
        text = redacted(raw.decode(errors="replace"), details["Config"])
        return [line for line in text.splitlines() if line.strip()]

    def run_inside(self, container_id: str, argv: list[str]) -> bytes:
        """Run a command in a running container and return its output.

        Raises:
            EngineError: the command is not there, or failed.

        """
        with translated(f"Running {argv[0]} in {container_id[:12]}"):
            code, output = self._container(container_id).exec_run(argv)
        assert output is None or isinstance(output, bytes)
        if code != 0:
            raise EngineError("exec-failed", f"`{' '.join(argv)}` in {container_id[:12]} ended with {code}.")
        return output or b""

    def last_health_output(self, container_id: str) -> str:
        """Return what the last healthcheck printed, its secrets masked, "" where there is none."""
        with translated(f"Inspecting container {container_id[:12]}"):
            details = self._details(container_id) or {}
        log = (details.get("State", {}).get("Health") or {}).get("Log") or []
        output = str(log[-1].get("Output", "")).strip() if log else ""
        return redacted(output, details.get("Config"))

    def _container(self, container_id: str) -> DockerContainer:
        return self._client.containers.get(container_id)

    # -- networks ----------------------------------------------------------------------------------------------------

    def bridge_of(self, network_id: str) -> str | None:
        """Return the host's interface behind a bridge network, None where it is of another driver or gone."""
        with translated(f"Inspecting network {network_id[:12]}"):
            try:
                attributes = self._client.networks.get(network_id).attrs
            except docker.errors.NotFound:
                return None
        if attributes["Driver"] != "bridge":
            return None
        return str(attributes["Options"].get("com.docker.network.bridge.name") or f"br-{attributes['Id'][:12]}")

    def first_bridge(self, containers: Iterable[Container]) -> str | None:
        """Return the host's interface behind the first bridge network of these containers, None without one."""
        names = (e.network_id or e.network for c in containers for e in c.endpoints)
        return next(filter(None, map(self.bridge_of, names)), None)

    def network_exists(self, name: str) -> bool:
        """Say whether there is a network of exactly this name."""
        with translated(f"Looking for network {name}"):
            return any(n.name == name for n in self._client.networks.list(names=[name]))

    def has_ipv6(self, network: str) -> bool:
        """Say whether the containers of a network get IPv6 addresses there, False where it is gone."""
        with translated(f"Inspecting network {network}"):
            try:
                return bool(self._client.networks.get(network).attrs.get("EnableIPv6"))
            except docker.errors.NotFound:
                return False

    def create_macvlan(self, name: str, parent: str, labels: Mapping[str, str], *, ipv6: bool) -> None:
        """Create a macvlan network over the interface `parent`, where `ipv6` with a random private subnet (RFC 4193).

        Engines before 27 do not choose an IPv6 subnet themselves.
        """
        drawn = secrets.token_hex(5)
        pool = IPAMPool(subnet=f"fd{drawn[:2]}:{drawn[2:6]}:{drawn[6:]}::/64")
        with translated(f"Creating network {name}"):
            self._client.networks.create(
                name,
                driver="macvlan",
                options={"parent": parent},
                labels=dict(labels),
                enable_ipv6=ipv6,
                ipam=IPAMConfig(pool_configs=[pool]) if ipv6 else None,
            )

    def remove_network(self, name: str) -> None:
        """Remove a network; nothing happens where it is gone."""
        with translated(f"Removing network {name}"):
            for network in self._client.networks.list(names=[name]):
                if network.name == name:
                    network.remove()

    def on_network(self, container: Container, network: str) -> bool:
        """Say whether a container is connected to the network of this name, running or not."""
        current = self.container(container.id)
        return current is not None and any(e.network == network for e in current.endpoints)

    def connect(self, network: str, container_id: str) -> None:
        """Connect a container to a network; before all others of its networks, where the Engine can be told so."""
        api = self._client.api
        with translated(f"Connecting {container_id[:12]} to {network}"):
            if version_lt(api.api_version, GATEWAY_PRIORITY_API):
                api.connect_container_to_network(container_id, network)
                return
            reply = api.post(  # the library's own call does not know this field
                f"{api.base_url}/v{api.api_version}/networks/{network}/connect",
                json={"Container": container_id, "EndpointConfig": {"GwPriority": GATEWAY_PRIORITY}},
                timeout=API_TIMEOUT_S,
            )
            try:
                reply.raise_for_status()
            except requests.exceptions.HTTPError as error:
                docker.errors.create_api_error_from_http_exception(error)

    def disconnect(self, network: str, container_id: str) -> None:
        """Disconnect a container from a network; nothing happens where it left by itself, as one does that dies."""
        with translated(f"Disconnecting {container_id[:12]} from {network}"):
            try:
                self._client.api.disconnect_container_from_network(container_id, network)
            except docker.errors.APIError as error:
                if "is not connected to" not in str(error.explanation):
                    raise

    # -- images ------------------------------------------------------------------------------------------------------

    def image_id(self, reference: str) -> str | None:
        """Return the ID of a local image, None where there is none of that name."""
        details = self.image_details(reference)
        return str(details["Id"]) if details else None

    def image_details(self, reference: str) -> dict[str, Any] | None:
        """Return what the Engine says of a local image, None where there is none of that name or ID."""
        with translated(f"Looking for image {reference}"):
            try:
                return dict(self._client.images.get(reference).attrs)
            except docker.errors.ImageNotFound:
                return None

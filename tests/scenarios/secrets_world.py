"""A project full of known secrets, and every place where one of them may turn up."""

from __future__ import annotations

import base64
import json
import secrets
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

import docker
import docker.errors
import psutil

from tests.scenarios.edge_world import EdgeRig
from tests.scenarios.rig import IMAGE, Told, ended

PLACES = (
    "literal", "dotenv", "envfile", "dsn", "probe", "registry", "proxy", "label", "argument", "suite", "file",
    "process", "health", "reply",
)  # fmt: skip
COMPOSE = """\
# every service below knows secrets; {marker}
x-common: &common
  image: {image}
  volumes: ["./server.py:/srv/server.py:ro"]
  labels: {{deploy.key: "{label}"}}
  env_file: [app.env]
  secrets: [certificate]
  stop_grace_period: 1s
  restart: unless-stopped

services:
  old:
    <<: *common
    command: ["python3", "/srv/server.py", "--api-key", "{argument}"]
    environment: &env
      NAME: old
      DB_PASSWORD: "{literal}"
      API_TOKEN: "${{API_TOKEN}}"
      FROM_PROCESS_KEY: "${{FROM_PROCESS_KEY}}"
      DATABASE_URL: "postgres://app:{dsn}@db:5432/app"
      REPLY_SECRET: "{reply}"
    ports: ["{zmq}:5570", "{http}:6570"]
  new:
    <<: *common
    command: ["python3", "/srv/server.py", "--api-key", "{argument}"]
    environment:
      <<: *env
      NAME: new
      FAIL: "${{NEW_FAIL:-}}"
      SHOUT: "${{NEW_SHOUT:-}}"
    healthcheck:
      test: ["CMD-SHELL", "python3 -c \\"import urllib.request as u; u.urlopen('http://127.0.0.1:6570/?token={health}')\\""]
      interval: 1s
      timeout: 5s
      retries: 2
secrets:
  certificate: {{file: ./certificate.pem}}
"""
SETTINGS = """\
green: old
blue: new
strategy: {strategy}
observe_s: 0.2
ready_timeout_s: 20
edge: {{image: "{edge_image}"}}
probes:
  - 'zmq://:{zmq}?send={{"method":"health","password":"{probe}"}}&expect=status:ok&identity=name&timeout=2'
  - 'http://monitor:{probe}@:{http}/?expect=status:ok&identity=name&timeout=2&header=X-Api-Key:{probe}&query=token={probe}'
suites:
  work:
    to: http://:{http}/
    steps:
      - name: look
        method: GET
        headers: {{Authorization: "Bearer {suite}"}}
        expect: {{json: {{status: ok}}}}
parity:
  to: zmq://:{zmq}
  rules: [{{path: $.name, rule: ignore}}]
  cases: [{{request: {{method: health, token: "{suite}"}}}}]
"""


class SecretRig(EdgeRig):
    """Such a project; `secret` gives each secret by its place, `told` is all that was printed."""

    strategy: str = "relink"

    def write(self) -> None:
        """Write the project's files, and the Docker CLI's with a login and a proxy."""
        self.secret = {place: f"{place}-{secrets.token_hex(8)}" for place in PLACES}
        self.told: list[tuple[str, Told]] = []
        self.written: list[str] = []
        super().write()
        here = self.folder
        fill = {"image": IMAGE, "zmq": self.zmq, "http": self.http, "marker": "be careful", **self.secret}
        fill |= {"strategy": self.strategy, "edge_image": self.edge_image}
        self.file.write_text(COMPOSE.format(**fill))
        (here / "cutover.yaml").write_text(SETTINGS.format(**fill))
        server = (here / "server.py").read_text()
        shout = (
            'if os.environ.get("SHOUT"):\n'
            "    print(*(f'{k}={v}' for k, v in os.environ.items()), sys.argv, sep='\\n', flush=True)\n"
            "    print('cannot connect to ' + os.environ['DATABASE_URL'], file=sys.stderr, flush=True)\n"
        )
        (here / "server.py").write_text(server.replace("\nmain()\n", f"\n{shout}main()\n"))
        (here / ".env").write_text(f"API_TOKEN={self.secret['dotenv']}\n")
        (here / "app.env").write_text(f"SESSION_SECRET={self.secret['envfile']}\n")
        (here / "certificate.pem").write_text(self.secret["file"])
        (here / "client").mkdir(exist_ok=True)
        login = base64.b64encode(f"bob:{self.secret['registry']}".encode()).decode()
        proxy = f"http://bob:{self.secret['proxy']}@proxy.invalid:3128"
        config = {
            "auths": {"registry.invalid": {"auth": login}},
            "proxies": {"default": {"httpProxy": proxy, "noProxy": "*"}},
        }
        (here / "client" / "config.json").write_text(json.dumps(config))
        self.own = {p for p in here.rglob("*") if p.is_file()}
        self.env = {
            **self.env,
            "DOCKER_CONFIG": str(here / "client"),
            "FROM_PROCESS_KEY": self.secret["process"],
            "PATH_TO_NOWHERE_TOKEN": self.secret["process"],
        }

    def say(self, *args: str, code: int | None = None, **env: str) -> Told:
        """Run cutover, keep what it printed, and watch its children's command lines."""
        before, self.env = self.env, {**self.env, **env}
        try:
            process = self.start(*args)
            with Lines(process.pid) as lines:
                told = ended(process)
        finally:
            self.env = before
        told_of = " ".join(args)
        self.written += [f"after `{told_of}`: {hit}" for hit in self.hits_on_disk()]  # an edge's files go with the edge
        self.told += [(told_of, told), (f"{told_of}: command lines", Told(0, "\n".join(sorted(lines.seen)), ""))]
        assert code is None or told.code == code, (args, told)
        return told

    def see_errors(self, *cases: tuple[Path, str, str, str], verbs: tuple[str, ...] = ("plan",)) -> None:
        """Break a file in each of these ways (old -> new), have it read, and see that `words` say so."""
        for path, old, new, words in cases:
            good = path.read_text()
            assert old in good, (path, old)
            path.write_text(good.replace(old, new, 1))
            for verb in verbs:
                told = self.say(*verb.split())
                assert told.code != 0, (path, new, told)
                assert words in f"{told.out}{told.err}", (path, new, told)
            path.write_text(good)

    def needles(self) -> dict[str, str]:
        """Return every form in which a secret may be written -> where it is from."""
        found = {}
        for place, value in self.secret.items():
            found |= {value: place, quote(value, safe=""): place, value[::-1]: f"{place}, reversed"}
            for shift in ("", "b", "bo", "bob:"):  # base64 of something before it
                encoded = base64.b64encode(f"{shift}{value}".encode()).decode()
                found[encoded[8:-4]] = f"{place}, base64"
        return found

    def hits(self, what: str, text: str) -> list[str]:
        """Return where secrets stand in a text."""
        return [
            f"{place} in {what}: {_around(text, needle)}" for needle, place in self.needles().items() if needle in text
        ]

    def hits_in_output(self) -> list[str]:
        """Return every secret in what was printed, and in the command lines of what was run."""
        return [h for what, told in self.told for h in self.hits(f"`{what}`", f"{told.out}\n{told.err}")]

    def hits_on_disk(self) -> list[str]:
        """Return every secret in a file that cutover wrote, but for the copies; those have to be private."""
        found = []
        for path in self.folder.rglob("*"):
            if path.is_symlink() or not path.is_file() or (path in self.own and "overrides" not in path.parts):
                continue
            hits = self.hits(str(path.relative_to(self.folder)), path.read_bytes().decode("utf-8", "replace"))
            if hits and not self._may_hold(path):
                found += hits
        return [*found, *self.open_state()]

    def _may_hold(self, path: Path) -> bool:
        parts = path.relative_to(self.folder).parts
        kept = parts[-2] in {"files", "candidate"} or parts[-1] == "old-container.json"
        kept = kept or ("backups" in parts and parts[-1] in {"config.json", "git.diff"})
        copies = parts[0] == ".cutover" and kept
        return (copies or (".cutover" in parts and "fixes" in str(path))) and _mode(path) == 0o600

    def open_state(self) -> list[str]:
        """Return what is in the state folder and not for its owner alone, sockets included."""
        state = self.folder / ".cutover"
        found = [state, *state.rglob("*")] if state.exists() else []
        folders = {p for p in found if p.is_dir() or p.name == "rollback.sh"}
        return [f"{p} is {_mode(p):o}" for p in found if _mode(p) != (0o700 if p in folders else 0o600)]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _around(text: str, needle: str) -> str:
    at = text.index(needle)
    return repr(text[max(0, at - 100) : at + len(needle) + 20])


@dataclass
class Lines:
    """The command lines of a process and its children, seen while it runs."""

    pid: int
    seen: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            try:
                root = psutil.Process(self.pid)
                for process in [root, *root.children(recursive=True)]:
                    self.seen.add(" ".join(process.cmdline()))
            except psutil.Error:
                continue


class Watcher:
    """Every container of cutover's own that is created meanwhile, as `docker inspect` has it, and its events."""

    def __init__(self, project: str) -> None:
        self._project = project
        self.inspected: dict[str, dict] = {}
        self.events: list[dict] = []

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._client = docker.from_env()
        self._stream = self._client.events(decode=True, filters={"type": "container"})
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more."""
        time.sleep(0.2)
        self._stream.close()
        self._thread.join(timeout=5)
        self._client.close()

    def _watch(self) -> None:
        for event in self._stream:
            labels = event["Actor"]["Attributes"]
            if labels.get("io.cutover.project") != self._project:
                continue
            self.events.append(event)
            if event["Action"] in {"create", "start"} and labels["name"] not in self.inspected:
                try:
                    self.inspected[labels["name"]] = self._client.api.inspect_container(event["id"])
                except docker.errors.NotFound:
                    continue


def see_nothing_leaked(rig: SecretRig, watcher: Watcher) -> None:
    """See that no secret stands in what was printed, written, run, or told to the Engine; with where it does."""
    found = [*rig.hits_in_output(), *rig.written]
    for name, inspected in watcher.inspected.items():
        found += rig.hits(f"docker inspect {name}", json.dumps(inspected))
    found += rig.hits("docker events", json.dumps(watcher.events))
    for service in ("old", "new"):
        labels = ((rig.container(service) or {}).get("Config") or {}).get("Labels") or {}
        ours = {name: value for name, value in labels.items() if name != "deploy.key"}
        found += rig.hits(f"labels of {service}", json.dumps(ours))
    assert found == [], "\n".join(found)

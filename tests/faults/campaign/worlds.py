"""The worlds of a campaign: a stack, who must serve it after a recovery, and what must not be left behind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import docker

from cutover.flow.lock import holder_of
from tests.faults.campaign import forks
from tests.faults.campaign.forks import Ended, Fault, Kill
from tests.scenarios import edge_crash_world
from tests.scenarios.conftest import bare_rig
from tests.scenarios.edge_crash_world import PatientRig, files, one
from tests.scenarios.edge_world import made
from tests.scenarios.own_engine import OwnEngine
from tests.scenarios.rig import HERE, Rig, ended

ROOT = HERE.parent.parent
DATA = '    volumes: ["./server.py:/srv/server.py:ro", "data:/data"]\n'
HEALTHCHECK = re.compile(r"    healthcheck:\n(      .*\n)+")
"""A Python that starts in each container every second would be most of what the machine does."""
EDGE = {"adopt", "edge", "exclusive"}
STANDING = {"edge", "exclusive"}
MOST_LINES = 10_000
"""After so many answers, all of them seen, a client begins anew: each look reads every line."""
WORDS = {"canary": ["canary", "50"], "swap": ["swap", "--observe", "0"], "upgrade": ["edge", "upgrade", "--force"]}


@dataclass
class Client:
    """A client in a process of its own; `log` is what it wrote."""

    rig: Rig
    log: Path
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Begin to ask, numbers from 1 on."""
        self.log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.faults.campaign.client", str(self.rig.http), str(self.rig.zmq)]
        self.process = subprocess.Popen([*command, str(self.log)], cwd=ROOT, stdin=subprocess.PIPE)

    def stop(self) -> None:
        """Ask no more."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def lines(self, since: float = 0.0) -> list[list[str]]:
        """Return what was written since a time: when, kind, number, ok or failed, who or why."""
        whole = self.log.read_text() if self.log.exists() else ""
        split = [line.split() for line in whole[: whole.rfind("\n") + 1].splitlines()]
        return [words for words in split if float(words[0]) >= since]


@dataclass
class World:
    """One stack in which a campaign is fought. `kind`: relink, recreate, adopt, edge, exclusive, engine."""

    kind: str
    edge_image: str
    rig: Rig = field(init=False)
    files: tuple[dict[str, Any], dict[str, Any]] = field(init=False)
    client: Client = field(init=False)
    serving: str = "old"
    start_s: float = 0.0
    engine: OwnEngine | None = None
    """The Engine of this world alone, which may be stopped; this process is in its network namespace then."""
    names: ClassVar[tuple[str, str]] = ("old", "new")
    """Who answers before a swap and after it."""
    services: ClassVar[tuple[str, str]] = ("old", "new")
    """The services that are called so."""

    def up(self) -> None:
        """Make it: green serves, a client asks, the edited files are known."""
        folder = Path(tempfile.mkdtemp(prefix="cutover-faults-")) / "project"
        folder.mkdir()
        self.make(folder)
        self.rig.up()
        self.start_s = self._time_start()
        before = files(self.rig)
        self._must(self.command("swap"))
        after = files(self.rig)
        if self.stands:
            self._must(["swap", "--observe", "0", "--green", "new", "--blue", "old", "--commit"])
            before = after = files(self.rig)
        else:
            self._must(["rollback"])
        self.files = before, after
        self.serving = self.names[0]
        self.client = Client(self.rig, folder.parent / "client.log")
        self.client.start()

    def make(self, folder: Path) -> None:
        """Write the project."""
        if self.kind in EDGE:
            self.rig = made(PatientRig, self.edge_image, folder)
        else:
            self.rig = bare_rig(folder)
            self.rig.write()
            settings = folder / "cutover.yaml"
            if self.kind == "recreate":
                settings.write_text(settings.read_text().replace("strategy: relink", "strategy: recreate"))
        text = self.rig.file.read_text().replace('    volumes: ["./server.py:/srv/server.py:ro"]\n', DATA)
        text = HEALTHCHECK.sub("", text)
        self.rig.file.write_text(f"{text}\nvolumes:\n  data: {{}}\n")

    @property
    def stands(self) -> bool:
        """Say whether an edge stands in this world before anything is done."""
        return self.kind in STANDING

    def down(self) -> None:
        """Take everything away."""
        if hasattr(self, "client"):
            self.client.stop()
        if hasattr(self, "rig"):
            self.rig.down()
            shutil.rmtree(self.rig.folder.parent, ignore_errors=True)

    def run(self, args: list[str], fault: Fault = None) -> Ended:
        """Run a verb of cutover, with a fault."""
        environ = {name: value for name, value in self.rig.environ().items() if name != "LD_PRELOAD"}
        return forks.run(args, self.rig.folder, environ, fault)

    def run_beside(self, verb: str, other: str, after_s: float) -> tuple[Ended, Ended]:
        """Run a verb, and another one in a process of its own that begins so much later in seconds, or earlier."""
        begun: list[subprocess.Popen[str]] = []
        words = self.command(other)
        timer = threading.Timer(max(after_s, 0.0), lambda: begun.append(self.rig.start(*words)))
        timer.start()
        time.sleep(max(-after_s, 0.0))
        first = self.run([*self.command(verb)])
        timer.join()
        told = ended(begun[0])
        return first, Ended(told.code, told.out, told.err, (), 0.0)

    def starts(self, since: float) -> int:
        """Return how many containers of this world, helpers too, were started since a moment (Unix seconds)."""
        client = docker.from_env(environment=self.rig.environ())
        try:
            filters = {"type": "container", "event": "start"}
            events = client.events(since=f"{since:.6f}", until=f"{time.time():.6f}", filters=filters, decode=True)
            return sum(self.rig.project in json.dumps(event["Actor"]["Attributes"]) for event in events)
        finally:
            client.close()

    def command(self, verb: str) -> list[str]:
        """Return a verb with the options that it needs here."""
        words = [*WORDS.get(verb, [verb])]
        if verb not in {"swap", "canary"}:
            return words
        words += ["--exclusive"] if self.kind == "exclusive" else []
        other = self.names[self.serving == self.names[0]]
        return [*words, *(["--green", self.serving, "--blue", other] if self.stands else [])]

    def ready(self, verb: str, place: str = "") -> None:
        """Bring it to where a verb can be called: `recover`, after a swap that was killed at a place."""
        self._renew_client()
        self._see_idle()
        if verb in {"rollback", "commit"}:
            self._must(self.command("swap"))
            self.serving = self.serves()
        elif verb == "promote":
            self._must(self.command("canary"))
        elif verb == "recover":
            self.run(self.command("swap"), Kill(place=place))

    def _see_idle(self) -> None:
        """Roll back what is done where a swap could not begin, and promise that green is `serving`."""
        if self.stands:
            if any(p["canary_percent"] for p in json.loads(self.run(["edge", "status", "--json"]).out)["ports"]):
                self._must(["rollback"])
            self.serving = self.serves()
        elif self.rig.answers(20) == self.names[1]:
            self._must(["rollback"])
            self.serving = self.names[0]

    def serves(self) -> str:
        """Return who answers, over HTTP and ZeroMQ."""
        (name,) = one(self.rig)
        return name

    def _must(self, args: list[str]) -> None:
        told = self.run(args)
        assert told.code == 0, (args, told)

    def _time_start(self) -> float:
        """Return how long green takes from `docker start` to its first answer."""
        green = self.rig.container(self.services[0])
        assert green is not None
        subprocess.run(["docker", "stop", "-t", "1", green["Id"]], check=True, capture_output=True)
        began = time.monotonic()
        subprocess.run(["docker", "start", green["Id"]], check=True, capture_output=True)
        self.rig.wait_answer(self.names[0])
        return time.monotonic() - began

    # -- what has to hold --------------------------------------------------------------------------------------------

    def check(self, verb: str, *, closely: bool) -> str:
        """See that one colour serves, that the files are as before or after, and that nothing was left; return who.

        Raises:
            AssertionError: something of it does not hold.

        """
        if verb in {"canary", "promote"} and self.stands:  # a canary that is whole is no half-done thing
            shares = [p["canary_percent"] for p in json.loads(self.run(["edge", "status", "--json"]).out)["ports"]]
            if any(shares):
                assert len(set(shares)) == 1, shares
                self._must(["rollback"])
        serving = self.see_settled(closely=closely)
        self.see_nothing_left()
        self.see_data()
        self.serving = serving
        return serving

    def see_settled(self, *, closely: bool) -> str:
        """See that one colour serves and holds the ports, and the files are as they have to be then; return which."""
        if self.kind in EDGE:
            return edge_crash_world.World(self.rig, *self.files, stood=self.stands).check(closely=closely)
        serving = self.serves()
        idle = "new" if serving == "old" else "old"
        held = self.rig.publishes(serving), self.rig.publishes(idle)
        assert held == ({self.rig.zmq, self.rig.http}, set()), f"{serving} answers, held are {held}"
        assert files(self.rig) == self.files[0 if serving == "old" else 1], "the files are neither as before nor after"
        assert self.rig.leftovers() == [], self.rig.leftovers()
        assert holder_of(self.rig.folder / ".cutover", self.rig.project) is None, "the lock is held"
        if closely and self.rig.container("old"):
            assert self.rig.nothing_to_do(may_start=True), "docker compose up would make something anew"
        return serving

    def see_nothing_left(self) -> None:
        """See that no helper, no redirect and no half-written file is there."""
        left = [str(p) for p in self.rig.folder.rglob("*.cutover-tmp")]
        assert left == [], left
        end = time.monotonic() + 5
        while left := [*self._helpers(), *self._tables()]:  # a helper sees twice a second that its cutover is gone
            assert time.monotonic() < end, left
            time.sleep(0.1)

    def _helpers(self) -> list[str]:
        labels = [f"label=io.cutover.project={self.rig.project}", "label=io.cutover.helper"]
        ask = ["docker", "ps", "-a", "--format={{.Names}}", *(f"--filter={label}" for label in labels)]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()

    def _tables(self) -> list[str]:
        if shutil.which("nft") is None:
            return self.rig.tables() if isinstance(self.rig, PatientRig) else []
        listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if "cutover" in line and self.rig.project in line]

    def see_data(self) -> None:
        """See that every number that was acknowledged is kept, once, by whoever acknowledged it."""
        lines = self.client.lines()
        acknowledged = {f"{words[2]}:{words[4]}" for words in lines if words[1] == "keep" and words[3] == "ok"}
        kept = self._kept().read_text().split()
        lost = acknowledged - set(kept)
        assert not lost, f"lost: {sorted(lost)[:9]}"
        numbers = {name.partition(":")[0] for name in acknowledged}
        times = Counter(name.partition(":")[0] for name in kept)
        twice = [n for n in numbers if times[n] != 1]
        assert not twice, f"kept more than once: {twice[:9]}"

    def _kept(self) -> Path:
        ask = ["docker", "volume", "inspect", "--format={{.Mountpoint}}", f"{self.rig.project}_data"]
        return Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()) / "kept"

    def _renew_client(self) -> None:
        """Have a client that has seen enough begin anew; never while somebody measures what it sees."""
        if len(self.client.lines()) > MOST_LINES:
            self.client.stop()
            time.sleep(0.5)  # until what was on its way has come
            self._kept().write_text("")
            self.client.start()
            time.sleep(0.5)

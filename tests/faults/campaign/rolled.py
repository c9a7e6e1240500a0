"""A world in which one service is replaced by a new container of itself: `swap --service`."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from pathlib import Path

from cutover.flow.lock import holder_of
from tests.faults.campaign.worlds import HEALTHCHECK, World
from tests.scenarios.edge_crash_world import files
from tests.scenarios.rig import free_ports
from tests.scenarios.roll_world import RollRig, build

CONDITION = "{web: {condition: service_healthy, restart: true}}"


class Rolled(World):
    """A stack whose one service is rolled from v1 to v2, others beside it that must not be touched."""

    names = ("v1", "v2")
    services = ("web", "web-next")

    def make(self, folder: Path) -> None:
        """Write the project, and build its two images."""
        rig = RollRig(folder, f"ct{secrets.token_hex(4)}", *free_ports(2))
        rig.images = f"ct-rolled-{secrets.token_hex(4)}"
        for name in self.names:
            build(rig.image(name), f"ENV NAME={name}")
        rig.write()
        text = HEALTHCHECK.sub("", rig.file.read_text()).replace(CONDITION, "[web]").replace('"600"', '"infinity"')
        rig.file.write_text(text)
        self.rig = self.rolling = rig

    def down(self) -> None:
        """Take everything away, the images too."""
        super().down()
        if hasattr(self, "rolling"):
            names = [self.rolling.image(name) for name in self.names]
            subprocess.run(["docker", "rmi", "-f", *names], capture_output=True, check=False)

    def command(self, verb: str) -> list[str]:
        """Return a verb with the options that it needs here."""
        words = super().command(verb)
        return [*words, "--service", "web", "--image", self.rolling.image("v2")] if verb == "swap" else words

    def see_settled(self, *, closely: bool) -> str:
        """See that one container of one version serves, by its own name, and nobody else was touched; return which."""
        rig, serving = self.rolling, self.serves()
        assert rig.publishes("web") == {rig.zmq, rig.http}, rig.publishes("web")
        assert rig.names() == [f"{rig.project}-web-1"], rig.names()
        assert rig.strays() == [], rig.strays()
        assert files(rig) == self.files[self.names.index(serving)], "the files are neither as before nor after"
        assert holder_of(rig.folder / ".cutover", rig.project) is None, "the lock is held"
        others = {n: i for n, i in rig.everything().items() if "-web-" not in n}
        with contextlib.suppress(AttributeError):
            assert others == self._others, "somebody else was touched"
        self._others = others
        if closely:
            assert rig.to_do() == [], rig.to_do()
        return serving

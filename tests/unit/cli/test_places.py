"""Where a colour answers, as people say it; `surface` and `parity` read it alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cutover.cli.places import are_hosts, on_hosts
from cutover.cli.surface import surface
from cutover.errors import UsageError
from cutover.validate.talk import Address
from tests.unit.probes.conftest import over, zmq_server  # noqa: F401


def test_hosts_with_and_without_ports() -> None:
    """A host answers for every port that is spoken of; a mapping for one."""
    assert on_hosts(["h"], [5570, 6570]) == {5570: Address("h", 5570), 6570: Address("h", 6570)}
    assert on_hosts(["127.0.0.1:5570->20001", "[::1]:6570->2"], [1]) == {
        5570: Address("127.0.0.1", 20001),
        6570: Address("::1", 2),
    }
    assert are_hosts(["h", "127.0.0.1:1->2"])
    assert not are_hosts([])
    assert not are_hosts(["test"])
    for wrong in ("h:5570", "a->b", "green:1->2"):
        with pytest.raises(UsageError, match="says no host"):
            on_hosts([wrong], [1])


def test_surface_of_two_hosts_needs_no_compose_file(
    zmq_server: Callable[..., int],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mapped ports, as parity takes them."""

    def service(*names: str) -> Callable[[list[bytes]], list[bytes]]:
        def answer(frames: list[bytes]) -> list[bytes]:
            known = json.loads(frames[-1])["method"] in names
            return [json.dumps({"status": "ok"} if known else {"status": "error", "error": "unknown method"}).encode()]

        return answer

    green, blue = zmq_server(answer=service("load", "list")), zmq_server(answer=service("load"))
    monkeypatch.chdir(tmp_path)
    told = "surface: {to: 'zmq://:5570', request: {method: '{method}'}, methods: [load, list]}\n"
    (tmp_path / "cutover.yaml").write_text(told)
    places = ["--green-at", f"127.0.0.1:5570->{green}", "--blue-on", f"127.0.0.1:5570->{blue}"]
    done = CliRunner().invoke(surface, ["--json", *places])
    assert done.exit_code == 1, done.output
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert {m["name"]: m["standing"] for m in verdict["figures"]["methods"]} == {"load": "present", "list": "missing"}

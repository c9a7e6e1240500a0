"""The files of a HAProxy edge: what stands in them, and that nobody's text can add a line."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from cutover.config import Edge
from cutover.config.edge import Sticky
from cutover.edge.haproxy.render import Layout, config, files, order, route
from cutover.edge.haproxy.state import State
from cutover.edge.shape import EdgePort, Hold, Mode, Slot, Target
from cutover.errors import UsageError

GREEN = Target("green-1", "10.0.0.2", 8080)
NASTY = st.text(st.sampled_from("ab/-_.\n\r\t\0 \\\"'#;{}[]%$,:@é"), max_size=12) | st.text(max_size=12)


def rendered(*, name="green-1", address="10.0.0.2", path=None, header=None, cookie=None, mount="/run/x", number=80):
    """Return haproxy.cfg of an edge with one HTTP port and one TCP port."""
    ports = (EdgePort(number, Mode.HTTP, (), path), EdgePort(5571, Mode.TCP, ()))
    settings = Edge.model_validate({"sticky": {"header": header, "cookie": cookie}})
    targets = {number: Target(name, address, 8080), 5571: Target(name, address, 5571)}
    return config(Layout(ports, settings, PurePosixPath(mount)), State(slots={Slot.A: targets}))


def shape(text):
    """Return the first words of every line: what HAProxy is told, without what it is told about."""
    return [re.findall(r"[a-z0-9.-]+", line)[:1] for line in text.split("\n")]


@given(st.sampled_from(["name", "address", "path", "header", "cookie", "mount"]), NASTY)
@example("address", "fe80::1%\n    server evil 10.0.0.9:80")
@example("name", "green\n    server evil 10.0.0.9:80")
def test_no_text_adds_a_line(what, text):
    """Whatever a name, a path or a header is: it is refused, or HAProxy reads the same lines as ever."""
    plain = {"path": "/health", "mount": "/run/x", "header": None, "cookie": None}
    usual = plain | ({what: "X-Who"} if what in {"header", "cookie"} else {})
    try:
        told = rendered(**plain | {what: text})
    except (UsageError, ValidationError, ValueError):
        return
    assert shape(told) == shape(rendered(**usual))
    assert not re.search(r"[^\x20-\x7e\n]", told)


@given(st.integers())
def test_no_number_is_more_than_a_port(number):
    """What is no port is refused."""
    try:
        told = rendered(number=number)
    except UsageError:
        assert not 0 < number < 65536
    else:
        assert shape(told) == shape(rendered())


def test_a_name_that_haproxy_would_read_otherwise_is_refused():
    """A header may be called so by the standard, and would be a quote or a comment here."""
    for name in ("X-'who", "X-#who", "X-%who", "X-$who"):
        with pytest.raises(ValidationError, match="should match pattern"):
            rendered(header=name)
        unchecked = Edge.model_construct(sticky=Sticky.model_construct(header=name, cookie=None))
        with pytest.raises(UsageError) as refused:
            Layout((EdgePort(80, Mode.HTTP, ()),), unchecked)
        assert refused.value.reference == "unsafe-name"


def test_zeromq_is_not_for_haproxy():
    """A ZeroMQ port belongs to the broker."""
    with pytest.raises(UsageError) as refused:
        Layout((EdgePort(5570, Mode.REP, ()),), Edge())
    assert refused.value.reference == "edge-mode"


def test_every_file_says_the_state():
    """Maps and configuration: what a restarted container comes up with."""
    layout = Layout((EdgePort(80, Mode.HTTP, ()),), Edge())
    state = State(Slot.B, {Slot.B: {80: GREEN}}, share_percent=2.5, hold=Hold(10, 1.5, 20))
    content = files(layout, state)
    assert content["route.map"] == b"route b/250\n"
    assert content["hold.map"] == b"hold 10:1500:20.000\nalone off\npart off\n"
    text = content["haproxy.cfg"].decode()
    assert "    server a 127.0.0.1:1 check weight 0 disabled\n" in text
    assert "    server b green-1:8080 check weight 1 init-addr libc,10.0.0.2\n" in text
    assert "    server wait abns@cutover-wait-80 weight 256 disabled\n" in text
    assert b"core.register_action" in content["hold.lua"]


def test_an_unproven_slot_has_no_weight():
    """It leads somewhere, and gets nothing before `switch` or `share`."""
    layout = Layout((EdgePort(80, Mode.HTTP, ()),), Edge())
    state = State(Slot.A, {Slot.A: {80: GREEN}, Slot.B: {80: GREEN}})
    assert "server b green-1:8080 check weight 0 " in config(layout, state)
    assert "server b green-1:8080 check weight 1 " in config(layout, state.switched(Slot.B))


def test_a_kernel_without_ipv6():
    """`::` cannot be listened on there."""
    ports = (EdgePort(80, Mode.HTTP, ()),)
    assert "bind :80\n" in config(Layout(ports, Edge(), ipv6=False), State())
    assert "bind :::80 v4v6\n" in config(Layout(ports, Edge()), State())


@pytest.mark.parametrize(("percent", "told"), [(0, "a"), (0.01, "a/1"), (5, "a/500"), (33.333, "a/3333")])
def test_shares_are_told_in_parts(percent, told):
    """To a hundredth of a per cent."""
    assert route(State(share_percent=percent)) == told


def test_orders_of_hold():
    """No hold is `off`; a hold never waits for no time at all."""
    assert order(None) == "off"
    assert order(Hold(5, 0.0001, 0)) == "5:1:0.001"

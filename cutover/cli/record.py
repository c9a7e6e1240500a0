"""`cutover record`: live traffic on a test port, as cases for parity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cutover.cli.options import PROJECT_OPTIONS, gathered, guarded, with_options
from cutover.cli.plain import echo

if TYPE_CHECKING:
    from cutover.config import Message, Settings
    from cutover.validate.record import Recorder, Summary
    from cutover.validate.talk import Address


@click.command()
@with_options(PROJECT_OPTIONS)
@click.option("--green", metavar="NAME", help="The service that answers on the legacy ports now.")
@click.option("--listen", type=click.IntRange(1, 65535), metavar="PORT", help="Test port, on loopback; a free one.")
@click.option("--to", "to_port", type=click.IntRange(1, 65535), metavar="PORT", help="Legacy port of green.")
@click.option("--protocol", type=click.Choice(["zmq", "http", "tcp"]), help="As cutover.yaml says, if left out.")
@click.option("--for", "for_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N exchanges.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; a new file.")
@guarded
def record(  # noqa: PLR0917  (click names them)
    listen: int | None,
    to_port: int | None,
    protocol: str | None,
    for_s: float | None,
    count: int | None,
    output: Path | None,
    **given: Any,
) -> int:
    """Record what clients ask of green, and what it answers, on a test port; Ctrl-C ends it.

    Point a client at the test port: what passes is not changed. Passwords, tokens, cookies and what `record:` in
    cutover.yaml names are masked before anything is written. The file is one for `parity: {files: ...}`.
    """
    from cutover.flow.colours import addresses  # noqa: PLC0415
    from cutover.flow.session import opened  # noqa: PLC0415
    from cutover.probes import Kind  # noqa: PLC0415
    from cutover.validate.record import Recorder  # noqa: PLC0415

    with opened(gathered(given)) as session:
        settings, green = session.settings, addresses(session, "green")
    port, kind = _chosen(settings, green, to_port, protocol)
    recorder = Recorder(
        output or _free_name(),
        green[port],
        Kind(kind),
        legacy_port=port,
        recording=settings.record,
        listen=listen or 0,
        count=count,
    )
    _until_told(recorder, for_s, told=f"{kind}://127.0.0.1:{recorder.port} -> green at {green[port]}")
    summary = recorder.summary()
    _show(summary, as_json=given["as_json"])
    if recorder.error:
        raise recorder.error
    return 0


def _until_told(recorder: Recorder, for_s: float | None, *, told: str) -> None:
    """Record until the time is up, the count is reached, or somebody says so."""
    from cutover.flow.signals import Interrupted, interruptible  # noqa: PLC0415

    try:
        with interruptible(), recorder:
            echo(f"recording {told}; Ctrl-C ends it", err=True)
            recorder.wait(for_s)
    except Interrupted:  # the usual end
        pass


def _chosen(
    settings: Settings, green: Mapping[int, Address], to_port: int | None, protocol: str | None
) -> tuple[int, str]:
    """Return the legacy port and its protocol: said, or what cutover.yaml speaks of."""
    from cutover.errors import UsageError  # noqa: PLC0415

    spoken = _spoken(settings)
    ports = [to_port] if to_port else [p for p in green if not protocol or spoken.get(p, protocol) == protocol]
    known = ", ".join(f"{p} ({spoken.get(p, 'protocol unknown')})" for p in sorted(green)) or "none"
    if to_port and to_port not in green:
        raise UsageError("no-such-port", f"Green has no legacy port {to_port}.", evidence=[f"ports: {known}"])
    if len(ports) != 1:
        raise UsageError("which-port", "Which legacy port?", evidence=[f"ports: {known}"], hint="--to PORT")
    kind = protocol or spoken.get(ports[0], "")
    if kind == "https":
        message = f"Port {ports[0]} speaks HTTPS: what passes is encrypted and cannot be recorded from outside."
        raise UsageError("encrypted", message, hint="record behind what ends TLS")
    if not kind:
        message = f"Nothing in cutover.yaml says what is spoken on port {ports[0]}."
        raise UsageError("which-protocol", message, hint="--protocol zmq, http or tcp")
    return ports[0], kind


def _spoken(settings: Settings) -> dict[int, str]:
    """Return which protocol cutover.yaml speaks on which port."""
    from cutover.flow.request import Options, probes_of  # noqa: PLC0415
    from cutover.validate.talk import question_of  # noqa: PLC0415

    messages: list[Message] = [settings.parity.complete(c) for c in settings.parity.cases]
    messages += [step for suite in settings.suites.values() if suite.steps for step in suite.complete()]
    messages.append(settings.surface)
    found = {p.port: str(p.kind) for p in probes_of(Options(), settings)}
    for message in messages:
        if message.to:
            question = question_of(message.model_copy(update={"request": None}))
            found[question.port] = str(question.kind)
    return found


def _free_name() -> Path:
    from datetime import datetime  # noqa: PLC0415

    return Path(f"recording-{datetime.now().astimezone():%Y%m%d-%H%M%S}.jsonl")


def _show(summary: Summary, *, as_json: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    if as_json:
        from cutover.cli.render import show_json  # noqa: PLC0415

        show_json({**asdict(summary), "file": str(summary.file)})
        return
    echo(f"{summary.file}: {summary.exchanges} exchanges over {summary.connections} connections")
    notes = {
        f"{summary.masked} had secrets in the question, are tagged `masked`, and ask something else if asked again": (
            summary.masked
        ),
        f"{summary.without_reply} had no reply": summary.without_reply,
        f"{summary.refused} connections were not taken by green": summary.refused,
        f"{summary.unread} connections passed unread: {summary.reason}": summary.unread,
        f"{summary.undecoded} had what is no JSON, msgpack or text, masked whole (record: {{keep_undecoded: true}})": (
            summary.undecoded
        ),
        f"{summary.unwritten} exchanges could not be masked for certain, and were not written": summary.unwritten,
    }
    for note, count in notes.items():
        if count:
            echo(f"  {note}")

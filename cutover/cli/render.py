"""How things look: errors and plans as text, progress on stderr, one result on stdout."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from cutover import events
from cutover.cli.plain import as_json, echo, one_line, printable
from cutover.errors import CutoverError, ExitCode
from cutover.events import Event, Note, StepEvent, StepState

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.status import Status

    from cutover.flow.swap import SwapReport

INDENT = " " * 7
PIPE_WIDTH = 400
MARKS = {
    StepState.DONE: ("ok", "green"),
    StepState.FAILED: ("FAILED", "bold red"),
    StepState.UNDONE: ("undone", "yellow"),
}
EXIT_CODES = {
    "done": ExitCode.DONE,
    "refused": ExitCode.REFUSED,
    "rolled_back": ExitCode.ROLLED_BACK,
    "needs_hands": ExitCode.NEEDS_HANDS,
    "interrupted": ExitCode.INTERRUPTED,
}


def error_text(error: CutoverError) -> str:
    """Return what happened, the evidence, and the next command."""
    lines = [f"cutover: {_within(error.message)}", *(f"  | {_within(e, '  | ')}" for e in error.evidence)]
    if error.hint:
        lines.append(f"  next: {_within(error.hint)}")
    lines.append(f"  ({error.reference})")
    return "\n".join(lines)


def _within(text: str, before: str = "    ") -> str:
    """Return a text whose further lines cannot pass for lines of ours."""
    return text.replace("\n", f"\n{before}")


class Progress:
    """Tells a person on stderr what goes on: a line for each finished step; on a terminal a spinner and bars."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}

    def tell(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Note):
            self._console.print(f"       {printable(_within(event.message, INDENT))}", style="dim", markup=False)
        elif isinstance(event, events.Progress):
            self._advance(event)
        elif not isinstance(event, StepEvent):
            return
        elif event.state is StepState.RUNNING:
            self._spin(event)
        elif event.state in MARKS:
            self._line(event)

    def close(self) -> None:
        """Take the spinner and the bars away."""
        if self._status:
            self._status.stop()
            self._status = None
        if self._bar:
            self._bar.stop()
            self._bar = None
            self._tasks.clear()

    def _advance(self, event: events.Progress) -> None:
        """Draw a bar for each title that is under way; a pipe gets none."""
        if not self._console.is_terminal:
            return
        bar = self._bar or self._new_bar()
        if event.title not in self._tasks:
            self._tasks[event.title] = bar.add_task("", total=event.total)
        failed = f"  [bold red]{event.failed} failed[/]" if event.failed else ""
        from rich.markup import escape  # noqa: PLC0415

        shown = f"{escape(one_line(event.title))}{failed}"
        bar.update(self._tasks[event.title], description=shown, completed=event.done, total=event.total)
        if all(task.finished for task in bar.tasks):
            self.close()

    def _new_bar(self) -> Bar:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self.close()
        columns = (TextColumn("       {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._bar.start()
        return self._bar

    def _spin(self, event: StepEvent) -> None:
        from rich.text import Text  # noqa: PLC0415

        self.close()
        if self._console.is_terminal:
            self._status = self._console.status(Text(one_line(event.title)))
            self._status.start()

    def _line(self, event: StepEvent) -> None:
        self.close()
        word, style = MARKS[event.state]
        self._console.print(f"{word:>6}", style=style, end=" ")
        self._console.print(f"{event.step} {one_line(event.title)}  {event.duration_s:.2f} s", markup=False)


def show_report(report: SwapReport, *, as_json: bool) -> None:
    """Print how a run ended."""
    if as_json:
        show_json(report.as_dict())
    else:
        echo(report_text(report))


def report_text(report: SwapReport) -> str:
    """Return how a run ended, in a few lines."""
    plan, outcome = report.plan, report.outcome
    ports = ", ".join(str(m.binding.host_port) for m in plan.moves) or "none"
    undone = " undone" if plan.images and outcome.result in {"rolled_back", "interrupted"} else ""
    lines = [f"{outcome.result}: run {report.run.id if report.run else '-'}, {plan.what}{undone}, ports {ports}"]
    if outcome.stall_measured_s is not None:
        predicted = f", {plan.stall_text()} predicted" if plan.stall_cause else ""
        lines.append(f"silence of the legacy ports: {outcome.stall_measured_s:.3f} s measured{predicted}")
    lines += [f"warning: {_within(w)}" for w in outcome.warnings]
    if outcome.error:
        lines.append(error_text(outcome.error))
    if outcome.result == "done" and report.way_back:
        lines.append(f"go back:  {report.way_back}")
    if report.script:
        lines.append(f"          without cutover: sh {shlex.quote(str(report.script))}")
    return "\n".join(lines)


def exit_code(report: SwapReport) -> int:
    """Return the exit code of a run."""
    return int(EXIT_CODES[str(report.outcome.result)])


def show_json(content: Any) -> None:
    """Print one JSON object."""
    echo(as_json(content))


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout; plain columns where it is no terminal."""
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    drawn = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE if console.is_terminal else None,
        pad_edge=False,
    )
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    console.print(drawn)

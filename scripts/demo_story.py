"""The demonstration: swap, roll back, swap again, while two dependants call the manager all the time."""

from __future__ import annotations

import argparse
import difflib
import re
import signal
import sys
import time

from stack import BLUE, GREEN, Stack, StackError, clean_up_earlier, interrupt, refuse_taken_ports

PROJECT = "language_stack"
PORTS = (5570, 6570)
CLIENTS = ("agent_chat", "agent_watch")
BEFORE_S = 2.0
"""How long the clients are counted before each act, so that there is something to compare the gap with."""


def main() -> int:
    """Tell the story; 0 if each port was served by whom it should be."""
    args = _arguments()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        clean_up_earlier(PROJECT)
        refuse_taken_ports(PORTS)
        stack = Stack(PROJECT, PORTS)
        try:
            tell(stack)
        finally:
            leave(stack, keep=args.keep)
    except StackError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    return 0


def tell(stack: Stack) -> None:
    """Start the stack, try blue beside green, then hand the ports over three times."""
    title(f"The stack, in {stack.folder}")
    stack.compose("up", "-d", "--wait", "--wait-timeout", "120")
    prove(stack, GREEN)
    act(stack, "rehearse", GREEN, f"Rehearse: is {BLUE} a successor? It is tried beside {GREEN}, on test ports")
    act(stack, "swap", BLUE, f"Swap: {BLUE} takes the ports of {GREEN}")
    show_file(stack)
    act(stack, "rollback", GREEN, f"Roll back: {GREEN} has them again")
    show_file(stack)
    act(stack, "swap", BLUE, "Swap again")
    show_file(stack)
    title("Served on the legacy ports: green, blue, green, blue. All proven.")


def act(stack: Stack, verb: str, expected: str, headline: str) -> None:
    """Run one command of cutover under load, show what the clients saw, and prove who answers."""
    title(headline)
    for client in CLIENTS:
        stack.count(client, reset=True)
    time.sleep(BEFORE_S)
    say(f"$ python -m cutover {verb}")
    stack.cutover(verb)
    prove(stack, expected)
    show_clients(stack)


def prove(stack: Stack, expected: str) -> None:
    """Ask on both legacy ports, from the host, who answers.

    Raises:
        StackError: it is not the expected service.

    """
    for port, protocol, service in zip(stack.ports, ("ZeroMQ", "HTTP"), stack.answering(), strict=True):
        say(f"port {port} ({protocol}): {service} answers")
        if service != expected:
            raise StackError(f"port {port} should be served by {expected}")


def show_clients(stack: Stack) -> None:
    """Print the dependants' own count since the act began."""
    say(f"{'what the clients saw':22}{'requests':>9}{'failed':>8}{'longest silence':>17}   answered by")
    for client in CLIENTS:
        seen = stack.count(client)
        by = ", ".join(f"{name} {number}" for name, number in seen["answered_by"].items())
        why = ", ".join(f"{kind} {number}" for kind, number in seen["failures"].items())
        silence = f"{seen['longest_silence_s'] * 1000:,.0f} ms"
        say(
            f"{client:22}{seen['requests']:>9}{seen['failed']:>8}{silence:>17}   {by}"
            + (f"; failed: {why}" if why else "")
        )


def show_file(stack: Stack) -> None:
    """Print what changed in the compose file, and see that Compose has nothing to do.

    Raises:
        StackError: it would change something.

    """
    now = stack.file.read_text("utf-8")
    name = stack.file.name
    diff = list(
        difflib.unified_diff(stack.before.splitlines(), now.splitlines(), f"a/{name}", f"b/{name}", n=0, lineterm="")
    )
    say(f"$ diff: {name} against the original" + ("" if diff else ": identical"))
    for line in diff:
        say(f"  {line}")
    # A green that waits behind the edge for `commit` still has the ports of its old definition, parked: all but it.
    services = [s for s in stack.compose("config", "--services").stdout.split() if not diff or s != GREEN]
    say(f"$ docker compose up -d --no-deps --dry-run {' '.join(services) if diff else ''}".rstrip())
    lines = stack.compose("up", "-d", "--no-deps", "--dry-run", *services).stderr.splitlines()
    wanted = [
        line for line in lines if re.search(r"(Container|Network|Volume) .* (Recreate|Create|Start|Stop|Remove)", line)
    ]
    if wanted:
        raise StackError("Compose does not agree with what runs:\n" + "\n".join(wanted))
    say("  nothing to do")


def leave(stack: Stack, *, keep: bool) -> None:
    """Take the stack down, or say how."""
    if keep:
        say(f"left up in {stack.folder}; take it down: docker compose -p {stack.project} down --volumes")
        return
    say("taking the stack down")
    stack.remove()


def title(text: str) -> None:
    """Print a headline."""
    say(f"\n== {text}")


def say(text: str) -> None:
    """Print at once: cutover writes to the same terminal."""
    print(text, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the stack up in the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

"""What the doctor asks of the host itself: its firewall, its own ports, what the threads of a process do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

STACK_S = 3.0
FRAMES, STACK_LINES = 4, 16
SBIN = ("/usr/sbin", "/sbin")
"""Where the firewall's tools are, if the PATH does not say."""
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def ephemeral_range() -> tuple[int, int] | None:
    """Return the range from which the kernel takes ports for outgoing connections, None where it does not tell."""
    try:
        low, high = EPHEMERAL.read_text().split()
    except (OSError, ValueError):
        return None
    return int(low), int(high)


def firewall_rules() -> tuple[str, str]:
    """Return the host's rules, and why they could not be read: only root may."""
    where = os.pathsep.join([os.environ.get("PATH", ""), *SBIN])
    tools = [tool for name in ("iptables-save", "ip6tables-save") if (tool := shutil.which(name, path=where))]
    said = [_output([tool]) for tool in tools]
    if not tools:
        return "", "the host's firewall was not looked at: there is no iptables-save"
    if not any(said):
        return "", "the host's firewall was not looked at: iptables-save says nothing to this user (root may)"
    return "\n".join(said), ""


def nft_rules() -> str:
    """Return the rules of nftables, nothing where there is no `nft`, or it says nothing to this user."""
    tool = shutil.which("nft", path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    return _output([tool, "list", "ruleset"]) if tool else ""


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=STACK_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def stack_of(pid: int) -> tuple[str, ...]:
    """Return what the threads of a stuck process do, where py-spy is there and may look."""
    tool = shutil.which("py-spy")
    if tool is None or not pid:
        return ()
    try:
        threads = json.loads(_output([tool, "dump", "--json", "--nonblocking", "--pid", str(pid)]) or "[]")
    except ValueError:
        return ()
    frames = [
        f"{thread.get('thread_name') or thread.get('thread_id')}: {frame['name']} ({frame['filename']}:{frame['line']})"
        for thread in threads
        for frame in thread.get("frames", ())[:FRAMES]
    ]
    return tuple(frames[:STACK_LINES])

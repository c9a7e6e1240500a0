"""Stack traces in replies: what a service should write to its log and not to its clients."""

from __future__ import annotations

import re

from cutover.model import Finding
from cutover.validate.results import error

_MOST_BYTES = 1 << 20
_BESIDE_CHARS = 80
# Each begins with a literal or a bounded run: what is searched may be a megabyte without a single space.
_TRACES = {
    "Python": r'Traceback \(most recent call last\)|\bFile "[^"\n]{1,300}\.py", line \d+',
    "Java": r"\bat [\w.$<>/@]{1,300}\((?:[\w$-]{1,200}\.(?:java|kt|scala|groovy):\d+|Native Method)\)",
    "Go": r"\bgoroutine \d+ \[[a-z]",
    "Node.js": r"\bat (?:async )?(?:[^\n()]{1,200} \()?(?:node:|file://)?[^\s()]{1,300}\.[cm]?[jt]sx?:\d+:\d+\b",
    "Ruby": r"\.rb:\d+:in [`'\"]",
    "PHP": r"#\d+ [^\s()]{1,300}\.php\(\d+\)|\.php on line \d+|\.php:\d+\nStack trace:",
    ".NET": r"\bat [\w.`<>+]{1,300}\([^)\n]{0,300}\) in [^\n]{1,300}:line \d+",
    "Rust": r"\bthread '[^'\n]{1,100}' (?:\(\d+\) )?panicked at ",
}
_TELLTALES = (
    *(b"Traceback", b".py", b".java:", b".kt:", b".scala:", b".groovy:", b"Native Method", b"goroutine", b"panicked"),
    *(b"js:", b"jsx:", b"ts:", b"tsx:", b".rb:", b".php", b":line "),
)
"""Each trace holds one of these: a reply without any, which is nearly every one, is not searched (60 us, 500 bytes)."""
_TRACE = re.compile("|".join(f"(?P<t{number}>{text})" for number, text in enumerate(_TRACES.values())))
_FILE = re.compile(r"[\w/.$-]+$")
_REST = re.compile(r"[^\n\"]*")
_ESCAPE = re.compile(r"\\([nrt\"/\\])")
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t"}


def leaks(body: bytes) -> Finding | None:
    """Return a finding that names the stack trace in a reply, JSON texts included; None if there is none.

    The first MiB is looked at.
    """
    if not _telling(body):
        return None
    texts = [body[:_MOST_BYTES].decode("utf-8", "replace")]
    for _ in range(2):  # as it is, as a text in JSON, as a text in JSON in a text
        if "\\" in texts[-1]:
            texts.append(_ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), texts[-1]))
    found = next(filter(None, map(_TRACE.search, reversed(texts))), None)
    return None if found is None else _finding(found)


def _telling(body: bytes) -> bool:
    for word in _TELLTALES:  # noqa: SIM110  (any() of a generator takes three times as long)
        if word in body:
            return True
    return False


def _finding(found: re.Match[str]) -> Finding:
    language = list(_TRACES)[int(str(found.lastgroup)[1:])]
    return error(
        "stack-trace",
        f"the reply leaks a stack trace of {language}",
        _shown(found),
        cure="catch it in the service, log it, and answer with an error that says what the client did wrong",
    )


def _shown(found: re.Match[str]) -> str:
    """Return the trace's own words and no more: what stands beside them in the reply may be a secret."""
    before = _FILE.search(found.string[max(0, found.start() - _BESIDE_CHARS) : found.start()])
    after = _REST.match(found.string, found.end(), found.end() + _BESIDE_CHARS)
    text = "".join([before[0] if before else "", found[0], after[0] if after else ""])
    return "".join(c if c.isprintable() else " " for c in text)

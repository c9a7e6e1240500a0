"""Verdicts as JUnit XML: a test suite for each verdict, a test case for each check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cutover.model import Finding, Severity
from cutover.validate.results import Check, Verdict

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHOLE = "the whole"


def junit(verdicts: Iterable[Verdict]) -> bytes:
    """Return verdicts as an XML document in UTF-8; characters that XML cannot hold are written as their numbers."""
    shown = [_suite(v) for v in verdicts]
    root = Element("testsuites", {"name": "cutover", **_sums(shown)})
    root.extend(shown)
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(verdict: Verdict) -> Element:
    name = _clean(".".join(filter(None, [verdict.verb, verdict.name, verdict.subject])))
    cases = [_case(name, check) for check in _checks(verdict)]
    suite = Element("testsuite", {"name": name, **_counts(cases)})
    properties = SubElement(suite, "properties")
    said = {"verb": verdict.verb, "subject": verdict.subject, **dict(_flat(verdict.figures))}
    for key, value in said.items():
        SubElement(properties, "property", name=_clean(key), value=_clean(str(value)))
    suite.extend(cases)
    return suite


def _checks(verdict: Verdict) -> Iterator[Check]:
    """Yield the checks, with what is wrong with the whole as one of its own."""
    yield from verdict.checks
    if verdict.findings or not verdict.checks:
        yield Check(_WHOLE, findings=verdict.findings)


def _case(suite: str, check: Check) -> Element:
    case = Element("testcase", classname=suite, name=_clean(check.name), time=f"{check.seconds:.6f}")
    errors = [f for f in check.findings if f.severity is Severity.ERROR]
    others = [f for f in check.findings if f.severity is not Severity.ERROR]
    if check.skipped:
        SubElement(case, "skipped", message=_clean(check.skipped))
    if errors:
        failure = SubElement(case, "failure", type=_clean(errors[0].code), message=_clean(errors[0].message))
        failure.text = _clean("\n\n".join(map(_told, errors)))
    notes = "\n\n".join(filter(None, [check.detail, *map(_told, others)]))
    if notes:
        SubElement(case, "system-out").text = _clean(notes)
    return case


def _told(finding: Finding) -> str:
    cure = [f"cure: {finding.cure}"] if finding.cure else []
    return "\n".join([f"{finding.code}: {finding.message}", *(f"  | {e}" for e in finding.evidence), *cure])


def _counts(cases: list[Element]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{sum(float(case.get('time', '0')) for case in cases):.6f}",
    }


def _sums(suites: list[Element]) -> dict[str, str]:
    counted = {
        key: str(sum(int(s.get(key, "0")) for s in suites)) for key in ("tests", "failures", "errors", "skipped")
    }
    return {**counted, "time": f"{sum(float(s.get('time', '0')) for s in suites):.6f}"}


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _clean(text: str) -> str:
    return _ILLEGAL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)

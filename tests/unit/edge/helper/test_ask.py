"""What may keep redirected connections out, read from rulesets as nft prints them."""

from __future__ import annotations

from typing import Any

from cutover.edge.helper import ask


def chain(name: str, hook: str | None = None, policy: str = "accept") -> dict[str, Any]:
    """Return a chain of a firewall."""
    base = {"type": "filter", "hook": hook, "prio": 0, "policy": policy} if hook else {}
    return {"chain": {"family": "ip", "table": "filter", "name": name, **base}}


def rule(name: str, *expressions: dict[str, Any]) -> dict[str, Any]:
    """Return a rule of a firewall's chain."""
    return {"rule": {"family": "ip", "table": "filter", "chain": name, "expr": list(expressions)}}


def blocked(*entries: dict[str, Any]) -> str | None:
    """Return what `ask` says of a ruleset."""
    return ask.blocked({"nftables": list(entries)})


def test_an_input_chain_that_drops_is_told(monkeypatch) -> None:
    """By its policy, by a rule, by a rule of a chain that it leads to, by a target of iptables."""
    monkeypatch.setattr(ask, "LEGACY", ())
    assert blocked(chain("INPUT", "input", "drop")) == "nftables chain ip filter INPUT drops what no rule accepts"
    rules = "nftables chain ip filter INPUT has rules that drop or reject"
    assert blocked(chain("INPUT", "input"), rule("INPUT", {"drop": None})) == rules
    jump = rule("INPUT", {"jump": {"target": "ufw"}})
    assert blocked(chain("INPUT", "input"), chain("ufw"), jump, rule("ufw", {"reject": {}})) == rules
    target = {"xt": {"type": "target", "name": "REJECT"}}
    assert blocked(chain("INPUT", "input"), rule("INPUT", {"counter": None}, target)) == rules


def test_what_forwards_or_accepts_is_not_in_the_way(monkeypatch) -> None:
    """Docker's own chains drop what is forwarded; chains may lead to each other."""
    monkeypatch.setattr(ask, "LEGACY", ())
    round_about = [rule("a", {"jump": {"target": "b"}}), rule("b", {"goto": {"target": "a"}})]
    assert blocked(chain("FORWARD", "forward", "drop"), rule("FORWARD", {"drop": None})) is None
    assert blocked(chain("a", "input"), chain("b"), *round_about, rule("a", {"accept": None})) is None


def test_the_table_of_another_take_over_is_not_in_the_way(monkeypatch) -> None:
    """It keeps its own temporary ports from others."""
    monkeypatch.setattr(ask, "LEGACY", ())
    entries = [chain("input", "input"), rule("input", {"drop": None})]
    for entry in entries:
        next(iter(entry.values()))["table"] = "cutover_shop"
    assert blocked(*entries) is None


def test_rules_of_the_older_iptables_are_told_of(monkeypatch, tmp_path) -> None:
    """They cannot be read over nftables."""
    names = tmp_path / "names"
    names.write_text("nat\nfilter\n")
    monkeypatch.setattr(ask, "LEGACY", (str(names),))
    assert "iptables-legacy" in (blocked() or "")
    names.write_text("nat\n")
    assert blocked() is None

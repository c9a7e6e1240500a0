"""What can be done here, and what was left behind: runs in the host's network namespace for a moment.

`python3 -m cutover.edge.helper.ask`, told on standard input `{"do": "check", "scripts": [...]}` or `{"do": "clear",
"table": "cutover_..."}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cutover.edge.helper.nft import Nft, NftError
from cutover.edge.helper.table import remove
from cutover.edge.helper.talk import asked, tell

LEGACY = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")
OURS = "cutover_"
"""How tables of other take-overs begin: each only concerns its own ports."""
_REFUSALS = {"drop", "reject"}


def main() -> None:
    """Answer one question."""
    facts = asked()
    try:
        if facts["do"] == "check":
            tell("checked", **check(Nft(), facts["scripts"]))
        else:
            tell("cleared", found=remove(facts["table"]))
    except (NftError, OSError) as error:
        tell("failed", why=str(error))


def check(nft: Nft, scripts: Iterable[str]) -> dict[str, object]:
    """Say which of the scripts the kernel would take, the first that it does, and what may block the redirected."""
    why = ""
    for number, script in enumerate(scripts):
        try:
            nft.run(script, dry=True)
        except NftError as error:
            why = why or str(error)
            continue
        return {"takes": number, "blocked": blocked(nft.listed("list ruleset"))}
    return {"takes": None, "why": why}


def blocked(ruleset: Mapping[str, Any]) -> str | None:
    """Say what may keep redirected connections of other machines out: they pass the host's input chains."""
    entries = ruleset.get("nftables", ())
    for chain in (e["chain"] for e in entries if "chain" in e):
        if chain.get("hook") != "input" or chain.get("type") != "filter" or chain["table"].startswith(OURS):
            continue
        name = f"{chain['family']} {chain['table']} {chain['name']}"
        if chain.get("policy") == "drop":
            return f"nftables chain {name} drops what no rule accepts"
        if _refuses(entries, chain["family"], chain["table"], chain["name"], set()):
            return f"nftables chain {name} has rules that drop or reject"
    if any(_names(path) for path in LEGACY):
        return "there are rules of iptables-legacy, which cannot be read from here"
    return None


def _refuses(entries: Iterable[Mapping[str, Any]], family: str, table: str, chain: str, seen: set[str]) -> bool:
    """Say whether a chain, or one that it leads to, drops or rejects anything."""
    seen.add(chain)
    rules = [e["rule"] for e in entries if "rule" in e]
    for rule in rules:
        if (rule["family"], rule["table"], rule["chain"]) != (family, table, chain):
            continue
        for words in rule.get("expr", ()):
            if _REFUSALS & set(words) or (words.get("xt") or {}).get("name") in {"REJECT", "DROP"}:
                return True
            to = (words.get("jump") or words.get("goto") or {}).get("target")
            if to and to not in seen and _refuses(entries, family, table, to, seen):
                return True
    return False


def _names(path: str) -> bool:
    try:
        return "filter" in Path(path).read_text(encoding="ascii").split()
    except OSError:
        return False


if __name__ == "__main__":
    main()

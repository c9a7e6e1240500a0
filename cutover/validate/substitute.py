"""What earlier steps saved, put in place of `${name}` wherever a step says it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from cutover.config import Step
from cutover.config.placeholders import PLACEHOLDER, texts_in

Spell = Callable[[Any], str]


def with_saved(step: Step, saved: Mapping[str, Any]) -> Step:
    """Return a step with saved values in place.

    A value that is `${name}` and no more keeps its type, in a text it is text. In a URL it is percent-encoded, in a
    regular expression it stands for itself, in a JSONPath it is escaped as within quotes.

    Raises:
        KeyError: nothing of that name is saved.
        ValueError: the step makes no sense any more with what was saved.

    """
    if not any("${" in text for text in texts_in(step.model_dump(by_alias=True))):
        return step
    said = step.model_dump(by_alias=True, exclude_unset=True)
    filled = {key: _texts(value, saved) for key, value in said.items() if key not in {"to", "expect", "save"}}
    filled["request"] = _filled(step.request, saved)
    filled["save"] = {name: _text(path, saved, _in_path) for name, path in said.get("save", {}).items()}
    if "to" in said:
        filled["to"] = _text(said["to"] or "", saved, _in_url) or None
    if "expect" in said:
        filled["expect"] = _expected(said["expect"], saved)
    return type(step).model_validate(filled)


def _expected(expect: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: _filled(value, saved) for key, value in expect.items() if key not in {"matches", "text", "absent"}}
    for key in ("paths", "numbers"):
        if key in expect:
            filled[key] = {_text(path, saved, _in_path): _filled(v, saved) for path, v in expect[key].items()}
    if "matches" in expect:
        matches = expect["matches"].items()
        filled["matches"] = {_text(path, saved, _in_path): _text(text, saved, _in_pattern) for path, text in matches}
    if expect.get("text") is not None:
        filled["text"] = _text(expect["text"], saved, _in_pattern)
    if "absent" in expect:
        filled["absent"] = [_text(path, saved, _in_path) for path in expect["absent"]]
    return filled


def _filled(value: Any, saved: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = PLACEHOLDER.fullmatch(value)
        return saved[whole[1]] if whole and whole[1] is not None else _text(value, saved, _as_text)
    if isinstance(value, dict):
        return {_filled_key(key, saved): _filled(part, saved) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(part, saved) for part in value]
    return value


def _filled_key(key: Any, saved: Mapping[str, Any]) -> Any:
    return _text(key, saved, _as_text) if isinstance(key, str) else key


def _texts(value: Any, saved: Mapping[str, Any]) -> Any:
    """Put values into texts that have to stay texts: headers, frames."""
    if isinstance(value, str):
        return _text(value, saved, _as_text)
    if isinstance(value, dict):
        return {key: _texts(part, saved) for key, part in value.items()}
    return [_texts(part, saved) for part in value] if isinstance(value, list | tuple) else value


def _text(text: str, saved: Mapping[str, Any], spell: Spell) -> str:
    return PLACEHOLDER.sub(lambda found: "${" if found[1] is None else spell(saved[found[1]]), text)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _in_url(value: Any) -> str:
    return quote(_as_text(value), safe="")


def _in_pattern(value: Any) -> str:
    return re.escape(_as_text(value))


def _in_path(value: Any) -> str:
    return _as_text(value).replace("\\", "\\\\").replace("'", "\\'")

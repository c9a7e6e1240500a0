"""Cases made by Hypothesis from a JSON Schema of the request: the corners that nobody thinks of.

The only module of the package that uses Hypothesis, which is a library for tests: here it is what users ask for, with
the extra `cutover[generate]`.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cutover.config import Case, Generator
from cutover.errors import RefusedError, UsageError
from cutover.events import Note, Observer
from cutover.validate.parity.values import frozen

_HINT = "schema: {type: object, required: [method], properties: {method: {const: health_check}}}"
ROUNDS = 20
"""How often Hypothesis is asked again, with the next seed, while it repeats itself."""


def generated(generator: Generator, number: int, seed: int, folder: Path, observer: Observer) -> tuple[Case, ...]:
    """Return `count` cases with different requests, the same for the same seed and version of Hypothesis.

    A schema that allows fewer requests gives fewer; the observer is told. `number` is which generator it is, from 1.

    Raises:
        RefusedError: Hypothesis is not installed.
        UsageError: the schema cannot be read, is none, or no request fits it.

    """
    schema, where = _schema(generator, number, folder)
    try:
        requests = _requests(schema, generator.count, seed)
    except ImportError as error:
        raise RefusedError(
            "no-hypothesis",
            "Cases can be generated only where Hypothesis is installed.",
            evidence=[str(error)],
            hint="pip install 'cutover[generate]'",
        ) from error
    except RecursionError as error:
        raise UsageError("bad-schema", f"{where}: the schema is nested too deep.") from error
    except Exception as error:  # jsonschema's and Hypothesis' errors have no common parent but Exception
        raise UsageError(
            "bad-schema", f"{where}: no request can be made from the schema: {_problem(error)}", hint=_HINT
        ) from error
    if not requests:
        raise UsageError("bad-schema", f"{where}: no request fits the schema.", hint=_HINT)
    if len(requests) < generator.count:
        told = f"{where}: the schema gives {len(requests)} different requests; {generator.count} were asked for"
        observer.tell(Note(told))
    common = {key: getattr(generator, key) for key in Case.model_fields.keys() & generator.model_fields_set}
    common["name"] = generator.name or "generated"
    return tuple(Case.model_validate({**common, "request": request}) for request in requests)


def _schema(generator: Generator, number: int, folder: Path) -> tuple[Any, str]:
    where = f"generator {number}" + (f" ({generator.name})" if generator.name else "")
    if generator.schema_file is None:
        return _plain(generator.schema_), where
    file = folder / generator.schema_file
    try:
        return json.loads(file.read_text(encoding="utf-8")), f"{where}, {file}"
    except FileNotFoundError as error:
        raise UsageError("no-such-file", f"{where}: {file} is not there.", hint="write it, or mend the name") from error
    except json.JSONDecodeError as error:
        raise UsageError("bad-schema", f"{where}: {file}:{error.lineno}: not JSON: {error.msg}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError("bad-schema", f"{where}: {file} cannot be read: {error}") from error


def _plain(value: Any) -> Any:
    """Return what YAML said as plain Python: Hypothesis keeps and compares schemas."""
    return json.loads(json.dumps(value, default=str))


def _requests(schema: Any, count: int, seed: int) -> tuple[Any, ...]:
    """Return up to `count` different requests that fit a schema."""
    if not isinstance(schema, dict):
        raise TypeError("it is not a mapping")
    with _elsewhere(), _many_with_more():
        return _drawn(schema, count, seed)


def _drawn(schema: Mapping[str, Any], count: int, seed: int) -> tuple[Any, ...]:
    import hypothesis  # noqa: PLC0415
    import hypothesis_jsonschema  # noqa: PLC0415
    from jsonschema.validators import validator_for  # noqa: PLC0415

    validator_for(schema).check_schema(dict(schema))
    strategy = hypothesis_jsonschema.from_schema(dict(schema))
    found: dict[Hashable, Any] = {}

    def keep(request: Any) -> None:
        if len(found) < count:
            found.setdefault(frozen(request), request)

    settings = hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for round_ in range(0 if strategy.is_empty else ROUNDS):
        before = len(found)
        hypothesis.seed(seed * ROUNDS + round_)(settings(hypothesis.given(strategy)(keep)))()
        if len(found) in {before, count}:
            break
    return tuple(found.values())


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Let Hypothesis keep what it keeps in a folder that goes away: nothing is written beside the user's files."""
    from hypothesis import configuration  # noqa: PLC0415

    before = configuration.storage_directory().path
    with tempfile.TemporaryDirectory() as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(before)


@contextmanager
def _many_with_more() -> Iterator[None]:
    """Give hypothesis-jsonschema (0.23.1, the newest) the `many.more()` that Hypothesis took away after 6.170.8.

    Without it every object with optional keys ends in an AttributeError. Does nothing where `more` is there.
    """
    from hypothesis.internal.conjecture import utils  # noqa: PLC0415

    drawing: Any = importlib.import_module("hypothesis_jsonschema._from_schema")
    if hasattr(utils.many, "more"):
        yield
        return

    class Many(utils.many):
        _steps: Iterator[None] | None = None

        def more(self) -> bool:
            if self._steps is None:
                self._steps = iter(self.__enter__())
            return next(self._steps, self) is not self

    before = drawing.cu
    drawing.cu = SimpleNamespace(**{**vars(utils), "many": Many})
    try:
        yield
    finally:
        drawing.cu = before


def _problem(error: Exception) -> str:
    """Return what is wrong: for an invalid schema where and what, without the schema itself."""
    where = "/".join(map(str, getattr(error, "absolute_path", ()) or ()))
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    return f"{f'at {where}: ' if where else ''}{text.splitlines()[0]}"

"""Handlers that are there and do nothing: each way of it, followed through classes and packages."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from cutover.validate.surface.source import Reading, read_source


def reading(tmp_path: Path, source: str) -> Reading:
    """Return what is read of one file."""
    (tmp_path / "service.py").write_text(dedent(source))
    return read_source([tmp_path], relative_to=tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "...",
        "'only a docstring'",
        "raise NotImplementedError",
        "raise NotImplementedError('later')",
        "return NotImplemented",
        "return None",
        "return",
        "return {'error': 'not implemented'}",
        "return 'Not yet implemented'",
        "return 'TODO'",
        "raise HTTPException(501)",
        "raise HTTPException(status_code=status.HTTP_501_NOT_IMPLEMENTED)",
        "raise Refused('not_implemented', 'come back later')",
        "return JSONResponse({}, status_code=501)",
        "return {}, 501",
        "abort(501)",
        "log.info('called'); raise NotImplementedError",
        "return self.not_implemented()",
        "return self.later(p)",
        "return nothing(p)",
    ],
)
def test_stubs(tmp_path: Path, body: str) -> None:
    """Each way to be there and do nothing, and why it is seen as such."""
    source = f"""
class S:
    def __init__(self): self.methods = {{"x": self.x}}
    def later(self, p): raise NotImplementedError
    def x(self, p):
        {body}
def nothing(p): pass
"""
    (found,) = reading(tmp_path, source).methods
    assert found.stubbed
    assert found.reason


@pytest.mark.parametrize(
    "body",
    [
        "return {}",
        "self.n = 1",
        "return self.work(p)",
        "return {'status': 'ok'}",
        "x = 1\n        return x",
        "raise ValueError('no such model')",
        "yield",
    ],
)
def test_what_does_something_is_no_stub(tmp_path: Path, body: str) -> None:
    """However short."""
    source = f"""
class S:
    def __init__(self): self.methods = {{"x": self.x}}
    def work(self, p): return 1
    def x(self, p):
        {body}
"""
    (found,) = reading(tmp_path, source).methods
    assert not found.stubbed, found.reason


def test_a_stub_that_heirs_fill_is_none(tmp_path: Path) -> None:
    """An abstract base raises so that its heirs do the work."""
    source = """
class Base:
    def __init__(self): self.methods = {"x": self.x}
    def x(self): raise NotImplementedError
class Real(Base):
    def x(self): return 1
"""
    assert [m.stubbed for m in reading(tmp_path, source).methods] == [False]


def test_handlers_are_followed_through_a_package(tmp_path: Path) -> None:
    """Imported functions, modules, and objects made in __init__."""
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "work.py").write_text("def load(p): pass\ndef save(p): return 1\nclass M:\n    def run(self, p): ...\n")
    (package / "main.py").write_text(
        "from . import work\nfrom pkg.work import save, M\n"
        "class S:\n    def __init__(self):\n        self.m = M()\n"
        "        self.handlers = {'load': work.load, 'save': save, 'run': self.m.run}\n"
    )
    found = read_source([package], relative_to=tmp_path)
    assert {m.name: m.stubbed for m in found.methods} == {"load": True, "save": False, "run": True}
    assert {m.place for m in found.methods} == {"pkg/main.py:6"}


def test_branches_that_are_stubs(tmp_path: Path) -> None:
    """An `if` or `case` that does nothing, or hands on to what does nothing."""
    source = """
def handle(request):
    if request["method"] == "a":
        raise NotImplementedError
    elif request["method"] == "b":
        return later(request)
    elif request["method"] == "c":
        return 1
    match request["method"]:
        case "d":
            pass
def later(request): ...
"""
    assert {m.name: m.stubbed for m in reading(tmp_path, source).methods} == {
        "a": True,
        "b": True,
        "c": False,
        "d": True,
    }

"""Methods read from sources, as people write them: each spelling of a dispatch, each kind of stub."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from cutover.validate.surface.source import How, Method, Reading, Wanted, read_source

HANDLERS = """
    def load(params): return 1
    def unload(params): return 2
"""
REPOSITORY = Path(__file__).parents[4]


def reading(tmp_path: Path, source: str, name: str = "service.py", **wanted: tuple[str, ...]) -> Reading:
    """Return what is read of one file."""
    path = tmp_path / name
    path.write_text(dedent(source))
    return read_source([tmp_path], Wanted(**wanted), relative_to=tmp_path)


def sure(found: Reading) -> set[str]:
    """Return the names that are methods beyond doubt."""
    return {m.name for m in found.methods if m.sure}


@pytest.mark.parametrize(
    "table",
    [
        "METHODS = {'load': load, 'unload': unload}",
        "METHODS: dict = {'load': load, 'unload': unload}",
        "METHODS = dict(load=load, unload=unload)",
        "BASE = {'load': load}\nMETHODS = {**BASE, 'unload': unload}",
        "METHODS = {}\nMETHODS['load'] = load\nMETHODS['unload'] = unload",
        "METHODS = {'load': load}\nMETHODS.update({'unload': unload})",
        "METHODS = {'load': load}\nMETHODS.update(unload=unload)",
        "LOAD = 'load'\nMETHODS = {LOAD: load, 'un' + LOAD: unload}",
        "METHODS = {'load': (load, {'type': 'object'}), 'unload': (unload, None)}",
        "METHODS = {'load': {'run': load}, 'unload': {'run': unload}}",
        "from functools import partial\nMETHODS = {'load': lambda p: load(p), 'unload': partial(unload, 1)}",
        "class A(str): pass\nclass Op: LOAD = 'load'; UNLOAD = 'unload'\nMETHODS = {Op.LOAD: load, Op.UNLOAD: unload}",
        (
            "import enum\nclass Op(enum.StrEnum): LOAD = enum.auto(); UNLOAD = 'unload'\n"
            "METHODS = {Op.LOAD: load, 'unload': unload}"
        ),
        "def answer(request):\n    return {'load': load, 'unload': unload}[request['method']](request)",
        "def answer(msg):\n    table = {'load': load, 'unload': unload}\n    return table.get(msg.get('action'))(msg)",
    ],
)
def test_dispatch_tables(tmp_path: Path, table: str) -> None:
    """However the table is put together."""
    assert sure(reading(tmp_path, dedent(HANDLERS) + "\n" + table)) == {"load", "unload"}


def test_a_table_of_a_class_with_its_lines(tmp_path: Path) -> None:
    """`self._methods = {...}`; file and line are those of the entry."""
    found = reading(
        tmp_path,
        """
        class Service:
            def __init__(self):
                self._methods = {
                    "load": self.load,
                    "unload": self._unload,
                }
            def load(self, p): return 1
            def _unload(self, p): pass
        """,
    )
    assert found.methods == (
        Method("load", How.TABLE, "service.py", 5),
        Method("unload", How.TABLE, "service.py", 6, stubbed=True, reason="its body is `pass`"),
    )


@pytest.mark.parametrize(
    "data",
    [
        "HANDLERS = {'host': 'localhost', 'port': 1}",
        "name, port = 'x', 1\nHANDLERS = {'name': name, 'port': port}",
        "HANDLERS = {1: load, 2: unload}",
        "class A:\n    @property\n    def size(self): return 1\n    def d(self): return {'size': self.size}",
        "TEXTS = {'a sentence: with more!': load}",
    ],
)
def test_tables_of_data_are_none(tmp_path: Path, data: str) -> None:
    """A dict of values that are no functions dispatches nothing."""
    assert sure(reading(tmp_path, dedent(HANDLERS) + data)) == set()


def test_a_table_that_nothing_names_is_only_likely(tmp_path: Path) -> None:
    """It may be a table of anything."""
    found = reading(tmp_path, dedent(HANDLERS) + "SETTERS = {'x': load, 'y': unload}")
    assert {m.name: m.sure for m in found.methods} == {"x": False, "y": False}


def test_names_given_to_getattr_in_a_loop(tmp_path: Path) -> None:
    """As Jupyter kernels build their tables."""
    found = reading(
        tmp_path,
        """
        class Kernel:
            msg_types = ["execute_request", "kernel_info_request"]
            control_msg_types = [*msg_types, "debug_request"]
            def __init__(self):
                self.shell_handlers = {}
                for msg_type in self.control_msg_types:
                    self.shell_handlers[msg_type] = getattr(self, msg_type)
            def execute_request(self): return 1
            def kernel_info_request(self): return 1
            def debug_request(self): raise NotImplementedError
        """,
    )
    assert {m.name: m.stubbed for m in found.methods} == {
        "execute_request": False,
        "kernel_info_request": False,
        "debug_request": True,
    }


@pytest.mark.parametrize(
    "test",
    [
        "if request.method == 'load': return 1",
        "if 'load' == request.method: return 1",
        "if request.method != 'load': return 1",
        "if request['method'] == 'load': return 1",
        "if request[b'method'] == b'load': return 1",
        "if request.get('action', '') == 'load': return 1",
        "if str(request['command']).lower() == 'load': return 1",
        "if request['type'] in ('load',): return 1",
        "if request['op'] not in {'load'}: return 1",
        "if request['action'] in NAMES: return 1",
        "if request['action'] in TABLE: return 1",
        "action = request['action']\n    if action == 'load': return 1",
        "what = request['action']\n    if what == 'load': return 1",
        "what, rest = request['action'], request\n    if what == 'load': return 1",
        "if (what := request['action']) == 'load': return 1",
        "match request['action']:\n        case 'load': return 1",
        "match request:\n        case {'action': 'load', **rest}: return 1",
        "match request['action'], 1:\n        case 'load', _: return 1",
        "match request.method:\n        case 'load' as m: return 1",
    ],
)
def test_comparisons(tmp_path: Path, test: str) -> None:
    """What holds a method's name, compared with a text."""
    source = f"NAMES = frozenset(['load'])\nTABLE = dict.fromkeys(NAMES)\ndef handle(request):\n    {test}\n"
    found = [m for m in reading(tmp_path, source).methods if m.sure]
    assert [(m.name, m.how) for m in found] == [("load", How.COMPARISON)]


@pytest.mark.parametrize(
    "test",
    [
        "if request.method == 'POST': return 1",
        "if args.command == 'serve': return 1",
        "if request.colour == 'red': return 1",
        "if 'load' in request.method: return 1",
        "if type(request) == 'x': return 1",
    ],
)
def test_other_comparisons_are_none(tmp_path: Path, test: str) -> None:
    """HTTP verbs, a command line's options, and what holds no method's name."""
    assert reading(tmp_path, f"def handle(request, args):\n    {test}\n").methods == ()


@pytest.mark.parametrize("test", ["if shape.type == 'circle': pass", "if params['method'] == 'linear': return 1"])
def test_vague_comparisons_are_only_likely(tmp_path: Path, test: str) -> None:
    """`type` and parameters hold many things."""
    found = reading(tmp_path, f"def draw(shape, params):\n    {test}\n")
    assert [m.sure for m in found.methods] == [False]


def test_300_branches(tmp_path: Path) -> None:
    """A chain of `elif` nests as deep as it is long."""
    chain = "".join(f"    elif action == 'm{n}':\n        return {n}\n" for n in range(300))
    source = f"def handle(action):\n    if action == 'first':\n        return 1\n{chain}"
    assert len(sure(reading(tmp_path, source))) == 301


@pytest.mark.parametrize(
    ("decorated", "name"),
    [
        ("@handler('load')\ndef x(p): return 1", "load"),
        ("@server.method('models.load')\ndef x(p): return 1", "models.load"),
        ("@rpc\ndef load(p): return 1", "load"),
        ("@comm_handler\ndef load(p): return 1", "load"),
        ("@dispatcher.add_method(name='load')\ndef x(p): return 1", "load"),
        ("@mcp.tool()\ndef load(p): return 1", "load"),
        ("def load(p): return 1\nserver.register_function(load)", "load"),
        ("def x(p): return 1\nserver.register_function(x, 'load')", "load"),
        ("def x(p): return 1\nbus.add_handler('load', x)", "load"),
        ("@app.get('/models/{name}')\ndef x(p): return 1", "GET /models/{}"),
        ("@app.route('/models/<int:n>', methods=['PUT'])\ndef x(p): return 1", "PUT /models/{}"),
        ("@app.route('/models')\ndef x(p): return 1", "GET /models"),
        ("router = APIRouter(prefix='/v1')\n@router.post('/load')\ndef x(p): return 1", "POST /v1/load"),
        ("r = APIRouter()\napp.include_router(r, prefix='/v2')\n@r.get('/x')\ndef x(): return 1", "GET /v2/x"),
        ("def x(r): return 1\napp.router.add_delete('/m/{id}', x)", "DELETE /m/{}"),
        ("def x(r): return 1\nroutes = [Route('/m', endpoint=x, methods=['POST'])]", "POST /m"),
        ("@app.websocket('/ws')\nasync def x(ws): return 1", "WS /ws"),
    ],
)
def test_registered_handlers(tmp_path: Path, decorated: str, name: str) -> None:
    """By a decorator or by a call, under a name or a path."""
    assert sure(reading(tmp_path, decorated)) == {name}


def test_a_command_lines_commands_are_none(tmp_path: Path) -> None:
    """Click's decorators look the same."""
    assert sure(reading(tmp_path, "import click\n@click.command('load')\ndef x(): return 1\n")) == set()


def test_http_server(tmp_path: Path) -> None:
    """`do_GET` with the paths that it knows; all paths where it looks at none."""
    found = reading(
        tmp_path,
        """
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                if path == "/health":
                    return 1
                elif self.path.startswith("/models/"):
                    return 2
            def do_POST(self):
                self.send_response(501)
        """,
    )
    assert sure(found) == {"GET /health", "GET /models/{}", "POST /*"}


@pytest.mark.parametrize(
    "look",
    [
        "getattr(self, f'handle_{action}')",
        "getattr(self, 'handle_' + action)",
        "getattr(self, 'handle_%s' % action)",
        "getattr(self, 'handle_{}'.format(action), None)",
    ],
)
def test_handlers_by_their_prefix(tmp_path: Path, look: str) -> None:
    """Inherited ones and those of heirs included; private names are none."""
    source = f"""
class Base:
    def handle_load(self): return 1
class Service(Base):
    def dispatch(self, action): return {look}()
    def handle_unload(self): ...
    def handle__inner(self): return 1
class Heir(Service):
    def handle_list(self): return 1
"""
    found = reading(tmp_path, source)
    assert {m.name: m.stubbed for m in found.methods} == {"load": False, "unload": True, "list": False}


def test_classes_that_are_served(tmp_path: Path) -> None:
    """Named in the settings, or handed to a server."""
    source = """
class Base:
    def ping(self): return 1
class Api(Base):
    def load(self): return 1
    def _private(self): return 1
    @property
    def size(self): return 1
"""
    assert sure(reading(tmp_path, source)) == set()
    assert sure(reading(tmp_path, source, classes=("Api",))) == {"load", "ping"}
    assert sure(reading(tmp_path, "import zerorpc\n" + source + "zerorpc.Server(Api())\n")) == {"load", "ping"}
    assert reading(tmp_path, source, classes=("Nope",)).skipped[0].reason == "no such class in the source"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Python 2, odd encodings, null bytes, links that go round, virtual environments, tests: never a crash."""
    (tmp_path / "old.py").write_text('print "hello"\n')
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nMETHODS = {'caf\xe9': lambda: 1}\n")
    (tmp_path / "broken.py").write_bytes(b"x = '\xff\xfe'\n")
    (tmp_path / "null.py").write_bytes(b"x = 1\0")
    (tmp_path / "deep.py").write_text("x = " + "(" * 3000 + ")" * 3000)
    (tmp_path / "escape.py").write_text('x = "\\d"\n')
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.py").write_text("METHODS = {'no': lambda: 1}")
    (tmp_path / "tests").mkdir()
    (tmp_path / "test_x.py").write_text("METHODS = {'no': lambda: 1}")
    found = read_source([tmp_path], relative_to=tmp_path)
    told = {s.file: s.reason for s in found.skipped}
    assert set(told) == {"old.py", "broken.py", "null.py", "deep.py", "round", "gone.py", ".venv", "tests", "test_x.py"}
    assert told["old.py"].startswith("line 1: not Python 3")
    assert "no" not in {m.name for m in found.methods}
    assert found.files == 2


def test_nothing_is_executed(tmp_path: Path) -> None:
    """The source is looked at, and no more."""
    reading(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')\nimport no_such_module_anywhere\nraise SystemExit\n")
    assert not (tmp_path / "ran").exists()


def test_the_demonstration_has_its_six_methods() -> None:
    """A table of five and a comparison with the sixth; and the health endpoint."""
    folder = REPOSITORY / "compose" / "language_stack"
    found = read_source([folder / "agent.py", folder / "manager.py", folder / "health.py"], relative_to=folder)
    assert sure(found) == {
        "load_model",
        "unload_model",
        "list_models",
        "generate_text",
        "get_status",
        "health_check",
        "GET /health",
    }
    assert not any(m.stubbed for m in found.methods)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import mod\nHANDLERS = {'load': mod.handler}", {"load"}),
        ("HANDLERS = {'load': load, 'other': elsewhere}\ndef load(p): return 1", {"load", "other"}),
        ("TABLE = {'size': len, 'text': str}\ndef f(msg): return TABLE[msg['action']](msg)", {"size", "text"}),
        ("T = {n: make(n) for n in ['a', 'b']}\ndef f(msg): return T[msg['action']](msg)", {"a", "b"}),
        ("COMMANDS = ['a', 'b']\ndef f(msg):\n    action = msg['action']\n    if action in COMMANDS: pass", {"a", "b"}),
        ("import mod\nT = {'load': mod.f, KEY(): mod.g}\ndef f(msg): return T[msg['action']](msg)", {"load"}),
    ],
)
def test_handlers_out_of_reach(tmp_path: Path, source: str, names: set[str]) -> None:
    """A key of a dispatch table counts, wherever its function is."""
    assert {m.name for m in reading(tmp_path, source).methods} == names


def test_only_a_lookup_makes_unseen_handlers_sure(tmp_path: Path) -> None:
    """A telling name makes them likely; a look-up by a method's name makes a dispatch; constants are no functions."""
    found = reading(
        tmp_path, "import mod\nHANDLERS = {'load': mod.f}\nCOLOURS = {'red': mod.red}\nactions = {'x': E.RED}"
    )
    assert {(m.name, m.sure) for m in found.methods} == {("load", False)}
    found = reading(tmp_path, "import mod\nT = {'load': mod.f}\ndef f(msg): return T[msg['action']](msg)")
    assert {(m.name, m.sure) for m in found.methods} == {("load", True)}


def test_tables_made_when_they_run_are_told(tmp_path: Path) -> None:
    """With file and line."""
    found = reading(tmp_path, "T = {k: v for k, v in load()}\ndef f(msg): return T[msg['action']](msg)")
    (told,) = found.skipped
    assert told.file == "service.py:1"
    assert "made when it runs" in told.reason

"""What counts as a port, where, and how it is put into text with variables."""

from __future__ import annotations

import pytest

from cutover.document.override.names import holds_secret, host_siblings, is_local, says_port, says_public, says_secret
from cutover.document.override.places import Role, spots
from cutover.document.override.template import comes_to, moved, split


@pytest.mark.parametrize(
    "name",
    ["PORT", "AGENT_PORT", "--port", "--health-port", "-p", "httpPort", "HTTPPORT", "bind", "LISTEN_ADDR", "address"],
)
def test_names_that_say_port(name):
    """A flag or a variable by which a service is told where to listen."""
    assert says_port(name)


@pytest.mark.parametrize(
    "name", ["TRANSPORT", "SUPPORT", "--export", "REPORT", "PROVIDER", "-x", "PORTAL", "X", "--np"]
)
def test_names_that_do_not(name):
    """Words that only look alike."""
    assert not says_port(name)


def test_names_of_the_side_that_clients_see():
    """They move, and tell the service nothing about where to listen."""
    assert says_public("EXTERNAL_PORT")
    assert says_public("--advertised-port")
    assert not says_public("PORT")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("*", True),
        ("0.0.0.0", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("localhost", True),
        ("[::]", True),
        ("suite", True),
        ("redis", False),
        ("10.0.0.1", False),
        ("1270.0.0.1", False),
    ],
)
def test_hosts(host, local):
    """The container itself, or somebody else."""
    assert is_local(host, ("suite",)) is local


@pytest.mark.parametrize(
    ("text", "name", "role"),
    [
        ("5570", "AGENT_PORT", Role.LISTENS),
        ("5570", "SIZE", Role.PLAIN),
        ("--port\n5570", "", Role.LISTENS),
        ("--port=5570", "", Role.LISTENS),
        ("-p 5570", "", Role.LISTENS),
        ("--size\n5570", "", Role.PLAIN),
        ("serve\n5570", "", Role.PLAIN),
        ('sh\n-c\nexec server --port "5570" --x', "", Role.LISTENS),
        ("PORT=5570 server", "", Role.LISTENS),
        ("tcp://*:5570", "", Role.LISTENS),
        ("tcp://0.0.0.0:5570", "ENDPOINT", Role.LISTENS),
        (":5570", "X", Role.LISTENS),
        ("--listen\nlocalhost:5570", "", Role.LISTENS),
        ("localhost:5570", "BIND", Role.LISTENS),
        ("http://localhost:5570/health", "", Role.LOCAL),
        ("http://127.0.0.1:5570/x", "URL", Role.LOCAL),
        ("nc -z localhost 5570", "", Role.LOCAL),
        ("< /dev/tcp/127.0.0.1/5570", "", Role.LOCAL),
        ("http://[::1]:5570/", "", Role.LOCAL),
        ("suite:5570", "PEER", Role.LOCAL),
        ("redis:5570", "REDIS", Role.REMOTE),
        ("http://db.example:5570/", "", Role.REMOTE),
        ("me:5570@somewhere", "", Role.REMOTE),
        ("5570:6570", "", Role.PLAIN),
    ],
)
def test_what_a_number_is(text, name, role):
    """By the flag, the variable or the host beside it."""
    found = [s for s in spots(text, ("suite",), name) if s.number == 5570]
    assert [s.role for s in found] == [role]
    assert text[found[0].start : found[0].end] == "5570"


@pytest.mark.parametrize("text", ["15570", "5570.5", "v5570", "5570ms", "1.5570", "x5570y", "1", "557000"])
def test_what_is_no_port_at_all(text):
    """A part of a word, a version or a decimal."""
    assert [s.number for s in spots(text) if s.number == 5570] == []


def test_the_host_that_belongs_to_a_port():
    """`REDIS_PORT` stands beside `REDIS_HOST`; `PORT` alone beside nothing."""
    assert "REDIS_HOST" in host_siblings("REDIS_PORT")
    assert "--redis-host" in host_siblings("--redis-port")
    assert host_siblings("PORT") == ()


@pytest.mark.parametrize(
    "text",
    [
        "--password hunter2",
        "--api-key=abc",
        "redis-cli -a hunter2 ping",
        "mysqladmin ping -phunter2",
        "curl -u me:pw http://localhost:80",
        "curl -ume:pw http://localhost:80",
        "curl --user=me:pw http://localhost:80",
        "sh -c 'redis-cli -a 1234 ping'",
        "mongosh -u me -p hunter2",
        "sshpass -p hunter2 ssh x",
        "--token x",
        "--password=x",
        "amqp://me:pw@localhost:5672",
        'curl -H "Authorization: Bearer abc"',
        "TOKEN=abc",
        "sk-abcdefgh12345678",
        "x 0123456789abcdef0123456789abcdef",
    ],
)
def test_what_may_be_a_secret(text):
    """Such text is not copied unless the user says so."""
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "--password ${PASSWORD}",
        "redis-cli -a $PASSWORD ping",
        "--max-tokens --port 80",
        "serve --port 5570 -p 80",
        "http://localhost:5570/health",
        "amqp://me:${PW}@localhost:5672",
        "python3 -u /app/srv.py --port 7720",
        "python3 -u -m srv --port 7720",
        "python3 -u srv.py",
        "gosu -u www srv",
        "setpriv -u 1000:1000 srv",
        "curl -u me:$PW",
        "srv -u localhost:5570",
        "celery -A proj flower --port=5555",
        "srv -a all",
        "srv -port 5570 -path /x",
        "mysqladmin ping -p$PW",
        "redis-cli -p 6379 ping",
        "mysqld -p 3306 -pid-file x",
        "nginx -p /etc/nginx",
    ],
)
def test_what_is_none(text):
    """A variable's value is not written down, and ordinary commands may be copied."""
    assert not holds_secret(text)


@pytest.mark.parametrize("name", ["DB_PASSWORD", "PGPASSWORD", "HF_TOKEN", "apiKey", "MYSQL_PWD", "REDIS_AUTH", "PASS"])
def test_names_that_say_secret(name):
    """The value of such a variable is not told."""
    assert says_secret(name)


@pytest.mark.parametrize(
    "name", ["PORT", "MAX_TOKENS", "TOKENIZERS_PARALLELISM", "DB_PASSWORD_FILE", "BYPASS", "MONKEY"]
)
def test_names_that_say_none(name):
    """Words that only look alike, and files that hold a secret."""
    assert not says_secret(name)


ENV = {"PORT": "5570", "HOST": "0.0.0.0", "WHOLE": "tcp://0.0.0.0:5570", "MONEY": "a$b"}


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("--port=5570", "--port=5570", "--port=20001"),
        ("tcp://${HOST}:5570", "tcp://0.0.0.0:5570", "tcp://${HOST}:20001"),
        ("tcp://${HOST}:${PORT}", "tcp://0.0.0.0:5570", "tcp://${HOST}:20001"),
        ("tcp://$HOST:${PORT:-80}", "tcp://0.0.0.0:5570", "tcp://$HOST:20001"),
        ("${NONE:-x${PORT}}", "x5570", None),
        ("${WHOLE}", "tcp://0.0.0.0:5570", None),
        ("$$HOME:5570 ${MONEY}", "$$HOME:5570 a$$b", "$$HOME:20001 ${MONEY}"),
        ("${PORT", "5570", None),
        ("${OTHER}:5570", "else:5570", None),
    ],
)
def test_a_port_in_text_with_variables(written, value, expected):
    """Variables stay variables; where only a part of one's value would change, it cannot be done."""
    at = value.index("5570")
    assert moved(written, value, (at, at + 4), 20001, ENV) == expected


def test_a_command_that_is_one_string():
    """It is split as Compose splits it, and variables stay whole."""
    assert split('sh -c "a ${B:-c d} $$e" ${F}') == ["sh", "-c", "a ${B:-c d} $$e", "${F}"]
    assert split('"unclosed') == []
    assert comes_to("a ${PORT} $$e ${MONEY}", ENV) == "a 5570 $$e a$$b"

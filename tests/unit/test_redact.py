"""What is masked in the output of containers."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.redact import masked_command, redacted


@pytest.mark.parametrize(
    ("config", "text", "expected"),
    [
        ({}, "nothing to hide", "nothing to hide"),
        (None, "nothing to hide", "nothing to hide"),
        ({"Env": ["DB_PASSWORD=hunter2", "MODE=hunter2x"]}, "login hunter2 failed", "login *** failed"),
        ({"Env": ["MODE=production"]}, "in production", "in production"),
        ({"Env": ["TOKEN=abc"]}, "abc is too short to be one", "abc is too short to be one"),
        ({}, "cannot reach redis://me:pw@host/0", "cannot reach redis://***@host/0"),
        ({"Env": ["DSN=postgres://app:hunter2pass@db/x"]}, "FATAL: hunter2pass is wrong", "FATAL: *** is wrong"),
        ({"Env": ["DSN=postgres://app:a%40b%40c@db/x"]}, "bad password a@b@c", "bad password ***"),
        ({"Cmd": ["serve", "--token=V4rToken", "--port", "80"]}, "got V4rToken on 80", "got *** on 80"),
        ({"Cmd": ["serve", "--api-key", "V4rToken"]}, "key V4rToken", "key ***"),
        ({"Cmd": ["sh", "-c", "serve --password V4rToken --fast"]}, "V4rToken refused", "*** refused"),
        ({"Entrypoint": ["run", "--secret", "--verbose"]}, "told to be --verbose", "told to be --verbose"),
        ({}, "argv: serve --token=V4rToken --port 80", "argv: serve --token=*** --port 80"),
        ({}, "argv: ['--auth-token', 'V4rToken']", "argv: ['--auth-token', 'V4rToken']"),
        ({"Env": ["A_SECRET=abcd", "B_SECRET=abcdefgh"]}, "abcdefgh", "***"),
        ({"Env": None, "Cmd": None, "Entrypoint": None}, "as it comes", "as it comes"),
        ({}, "DB_PASSWORD='hunter2'", "DB_PASSWORD=***"),
        ({}, '{"password": "hunter2", "user": "me"}', '{"password": ***, "user": "me"}'),
        ({}, "api_key: hunter2", "api_key: ***"),
        (
            {},
            "12 passed: all; Tokenizer: loaded; max_tokens: 512",
            "12 passed: all; Tokenizer: loaded; max_tokens: 512",
        ),
        ({}, "KeyError: 'model_id' at http://:5570/", "KeyError: 'model_id' at http://:5570/"),
        ({}, "redis://me:p@w@host/0", "redis://***@host/0"),
    ],
)
def test_what_is_masked(config: dict[str, Any] | None, text: str, expected: str) -> None:
    """Values of secret-looking variables and flags, passwords of URLs; not every word."""
    assert redacted(text, config) == expected


@pytest.mark.parametrize("flag", ["--token", "--db-password", "--api_key", "--key", "-auth", "--private-key"])
def test_a_flag_that_sounds_secret(flag: str) -> None:
    """Wherever it is printed."""
    assert redacted(f"run {flag} s3cr3t now", {}) == f"run {flag} *** now"
    assert redacted(f"run {flag}=s3cr3t now", {}) == f"run {flag}=*** now"


@pytest.mark.parametrize("flag", ["--keyboard", "--monkey", "--author", "--port"])
def test_a_flag_that_does_not(flag: str) -> None:
    """Holes in every line would help nobody."""
    assert redacted(f"run {flag} value", {}) == f"run {flag} value"


@pytest.mark.parametrize(
    "command",
    [
        "redis-cli -a s3cr3t ping",
        "redis-cli -h cache -p 6379 -a s3cr3t ping",
        "mysqladmin ping -uroot -ps3cr3t",
        "mysqladmin --user=root --password=s3cr3t ping",
        "curl -fsu admin:s3cr3t http://localhost/health",
        "curl -f -u admin:s3cr3t http://localhost/health",
        "curl -H 'Authorization: Bearer s3cr3t' http://localhost/",
        "curl http://x/?api_key=s3cr3t&v=1",
        "curl http://admin:s3cr3t@localhost/health",
        "env DB_PASSWORD=s3cr3t serve",
        "env DB_PASSWORD='s3cr3t and more' serve",
        "curl -H 'X-Api-Key: s3cr3t' http://x/",
        'curl --data \'{"password": "s3cr3t"}\' http://x/',
        "curl --data \"{'password': 's3cr3t'}\" http://x/",
        "curl --proxy-user me:s3cr3t http://x/",
        "git clone https://ghp_s3cr3ts3cr3ts3cr3t@host/x",
        "serve --dsn postgres://u:p@s3cr3t@h/db",
        "serve --password 's3cr3t with blanks'",
        "redis-server --masterauth s3cr3t",
        "mongosh -u root -p s3cr3t --eval 1",
        "sqlcmd -S db -U sa -P s3cr3t -Q 1",
        "sshpass -p s3cr3t ssh host",
        "serve 'Endpoint=sb://x;AccountKey=s3cr3t'",
        "PGPASSWORD=s3cr3t pg_isready",
        "serve --auth-token=s3cr3t",
    ],
)
def test_a_command_line_keeps_its_secrets(command: str) -> None:
    """Whatever its program calls them."""
    shown = masked_command(command)
    assert "s3cr3t" not in shown
    assert shown[:3] == command[:3]


@pytest.mark.parametrize(
    "command",
    [
        "mysql -P 3306 -p",
        "python3 -u /srv/server.py",
        "serve -p 8000 -a 0.0.0.0",
        "ssh -p 22 host",
        "PORT=80 MODE=fast serve --max max_tokens=512",
        "redis-server *:6379",
        "docker-proxy -proto tcp -host-port 5570",
    ],
)
def test_a_command_line_without_any_is_shown_as_it_is(command: str) -> None:
    """Nothing in it is hidden that helps."""
    assert masked_command(command) == command

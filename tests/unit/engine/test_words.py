"""What Compose says when it fails, as 2.40.3 says it: the values in it are nobody's business."""

from __future__ import annotations

import pytest

from cutover.engine.words import last_words

SECRET = "s3cr3t-4f2a"
REST = f"\nNEXT_PASSWORD={SECRET}\nPLAIN={SECRET}\nthe end"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"failed to read /srv/.env: line 2: unterminated quoted value '{SECRET}{REST}", "line 2: unterminated quoted"),
        (f'failed to read /srv/.env: Invalid template: "{SECRET}${{"', "Invalid template"),
        (f'failed to read /srv/.env: unexpected character "!" in variable name near "{SECRET}{REST}"', "unexpected"),
        (
            (
                "invalid interpolation format for services.old.environment.DB_PASSWORD.\n"
                f"You may need to escape any $ with another $.\n{SECRET}${{{REST}"
            ),
            "services.old.environment.DB_PASSWORD",
        ),
        (f"dial tcp: bad url postgres://app:{SECRET}@db:5432/app", "bad url"),
    ],
)
def test_a_value_that_compose_repeats_is_masked(said: str, told: str) -> None:
    """And what it says of it stays."""
    words = "\n".join(last_words(f"\x1b[31m{said}\x1b[0m\n"))
    assert SECRET not in words
    assert told in words
    assert "***" in words


def test_progress_is_left_out_and_the_end_is_told() -> None:
    """Unless there is nothing else."""
    assert last_words(" Container a-1  Creating\n Container a-1  Error\nError: no such image\n") == [
        "Error: no such image"
    ]
    assert last_words(" Container a-1  Creating\n") == ["Container a-1  Creating"]

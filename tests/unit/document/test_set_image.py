"""The image of a service is set where the file that wins says it, and no other byte changes."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutover.document import FileSet, Inverse, SetEdit, prove_image, prove_intents
from cutover.errors import EditRefusedError
from cutover.model import Protocol

CORPUS = Path(os.environ.get("CUTOVER_CORPUS") or Path(__file__).resolve().parents[4] / "shared" / "corpus") / "files"

TEXT = """\
# the stack
services:
  web:
    image: app:v1   # pinned, é
    ports: ["80:80"]
  other:
    image: app:v1
"""


def edited(text: str, image: str = "app:v2", service: str = "web", **env: str) -> SetEdit:
    """Return the edit that sets the image in one file."""
    return FileSet.parse({"compose.yml": text.encode()}).set_image(service, image, env=env)


def text_of(edit: SetEdit) -> str:
    """Return the text of the one file after an edit."""
    return edit.files.contents()["compose.yml"].decode()


def taken_back(edit: SetEdit, text: str) -> str:
    """Return the text of a file, changed since or not, after the inverse as it comes out of a journal."""
    inverse = Inverse(**json.loads(json.dumps(edit.image.inverse().as_dict())))
    return text_of(FileSet.parse({"compose.yml": text.encode()}).apply_inverse(inverse))


def refusal(text: str, image: str = "app:v2", **env: str) -> EditRefusedError:
    """Return the refusal to set the image."""
    with pytest.raises(EditRefusedError) as caught:
        edited(text, image, **env)
    return caught.value


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_value_alone_changes(newline: str, bom: str, ended: bool) -> None:
    """Comments, BOM, line ends and the other service that has the same image stay; the way back is exact."""
    text = bom + (TEXT if ended else TEXT.rstrip("\n")).replace("\n", newline)
    edit = edited(text)
    assert text_of(edit) == text.replace("app:v1   #", "app:v2   #")
    assert taken_back(edit, text_of(edit)) == text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("image: app:v1", "image: host.example:5000/team/app:v2@sha256:" + "0" * 64),
        ("image: 'app:v1'", "image: 'app:v2'"),
        ('"image": "app:v1"', '"image": "app:v2"'),
        ("image: >-\n      app:v1", 'image: "app:v2"'),
    ],
)
def test_quotes_stay_as_they_are(written: str, expected: str) -> None:
    """A folded text becomes one line, as its value is one."""
    image = expected.partition(": ")[2].strip("'\"")
    edit = edited(f"services:\n  web:\n    {written}\n    init: true\n", image)
    assert text_of(edit) == f"services:\n  web:\n    {expected}\n    init: true\n"
    assert edit.image.after == image
    assert taken_back(edit, text_of(edit)).startswith(f"services:\n  web:\n    {written}")


def test_a_service_within_braces_is_edited_in_place() -> None:
    """JSON stays JSON."""
    assert text_of(edited('{"services": {"web": {"image": "app:v1"}}}')) == '{"services": {"web": {"image": "app:v2"}}}'


def test_the_last_file_that_says_it_wins() -> None:
    """An override is edited, not the file that it overrides; one that says no image is left alone."""
    override = b"services:\n  web:\n    image: 'app:local'\n"
    files = FileSet.parse({"a.yml": TEXT.encode(), "b.yml": override, "c.yml": b"services: {web: {init: true}}\n"})
    edit = files.set_image("web", "app:v2")
    assert [e.file for e in edit.edits] == ["b.yml"]
    assert edit.image.before == "app:local"
    assert edit.files.contents()["b.yml"] == b"services:\n  web:\n    image: 'app:v2'\n"


def test_an_image_that_is_there_already_changes_nothing() -> None:
    """Not even where a variable gives it."""
    assert edited(TEXT, "app:v1").edits == ()
    assert edited("services: {web: {image: 'app:${TAG:-v1}'}}", "app:v2", TAG="v2").edits == ()


@pytest.mark.parametrize(
    ("written", "image", "hint"),
    [
        ("app:${TAG:-v1}", "app:v2", "write TAG=v2 into .env, then cutover swap --service web without --image"),
        ("${IMAGE}", "app:v2", "write IMAGE=app:v2 into .env, then cutover swap --service web without --image"),
        ("$IMAGE", "app:v2", "write IMAGE=app:v2 into .env, then cutover swap --service web without --image"),
        ("app:${TAG}", "other:v2", "write the image by hand"),
        ("${NAME}:${TAG}", "app:v2", "set NAME, TAG in .env, then cutover swap --service web"),
    ],
)
def test_a_variable_is_not_written_over(written: str, image: str, hint: str) -> None:
    """Whoever wrote it sets it elsewhere; the value that it would need is said where it is clear."""
    error = refusal(f"services:\n  web:\n    image: {written}\n", image)
    assert (error.reference, error.line) == ("image-from-variable", 3)
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services:\n  web: {build: .}\n", ("image-not-declared", 2)),
        ("services:\n  web: {init: true}\n", ("image-not-declared", 2)),
        ("services:\n  web: {extends: base}\n  base: {image: b}\n", ("image-from-extends", 2)),
        ("services:\n  web: {extends: {file: away.yml, service: base}}\n", ("image-from-extends", 2)),
        ("services:\n  web: {image: b}\n  heir: {extends: web}\n", ("inherited-by-extends", 3)),
        ("x-t: &t {image: b}\nservices:\n  web: {<<: *t}\n", ("merged-value", 1)),
        ("x-i: &i b\nservices:\n  web: {image: *i}\n", ("value-is-alias", 3)),
        ("services:\n  web: {image: &i b}\n  other: {image: *i}\n", ("tagged-value", 2)),
        ("services:\n  web: {image: !reset b}\n", ("tagged-value", 2)),
        ("services:\n  web: &w {image: b}\n  other: {<<: *w}\n", ("shared-by-alias", 3)),
        ("services:\n  base: &w {image: b}\n  web: *w\n", ("shared-by-alias", 3)),
        ("services:\n  other: {image: b}\n", ("service-unknown", None)),
    ],
)
def test_what_others_share_or_hand_on_is_refused_with_its_line(text: str, expected: object) -> None:
    """Built, inherited, merged and aliased images stay as they are."""
    error = refusal(text)
    assert (error.reference, error.line) == expected


def test_an_heir_with_an_image_of_its_own_is_no_reason() -> None:
    """It does not feel the change."""
    text = "services:\n  web: {image: b}\n  heir: {extends: web, image: c}\n  grandchild: {extends: heir}\n"
    assert text_of(edited(text)) == text.replace("image: b", "image: app:v2")


def test_an_heir_in_another_file_is_refused() -> None:
    """It would get the image too."""
    heir = b"services:\n  heir: {extends: {file: a.yml, service: web}}\n"
    with pytest.raises(EditRefusedError) as caught:
        FileSet.parse({"a.yml": TEXT.encode(), "b.yml": heir}).set_image("web", "app:v2")
    assert (caught.value.reference, caught.value.file) == ("inherited-by-extends", "b.yml")


@pytest.mark.parametrize("image", ["", "a b", "App:v1", "app:v1\n", "app:${X}", "app: v1", "-x", "app:#1", "a" * 500])
def test_what_names_no_image_is_refused(image: str) -> None:
    """Nothing that could mean something else in YAML or to Compose comes into the file."""
    assert refusal(TEXT, image).reference == "image-invalid"


@pytest.mark.parametrize("image", ["app", "a/b/c:1.2-x_y", "[::1]:5000/app", "localhost/app", "sha256:" + "a" * 64])
def test_names_of_images(image: str) -> None:
    """As distribution/reference has them, and IDs."""
    assert edited(TEXT, image).image.after == image


def test_the_way_back_keeps_what_somebody_changed_since() -> None:
    """Another image since is a person's choice; another line is kept."""
    edit = edited(TEXT)
    changed = text_of(edit).replace("80:80", "81:80")
    assert taken_back(edit, changed) == TEXT.replace("80:80", "81:80")
    assert taken_back(edit, TEXT) == TEXT
    with pytest.raises(EditRefusedError) as caught:
        taken_back(edit, text_of(edit).replace("app:v2", "app:v3"))
    assert caught.value.reference == "image-changed"


def test_the_judge_accepts_the_image_and_nothing_else() -> None:
    """Together with ports that go in the same edit, too."""
    edit = edited(TEXT)
    before = {"services": {"web": {"image": "app:v1"}, "other": {"image": "app:v1"}}}
    after = {"services": {"web": {"image": "app:v2"}, "other": {"image": "app:v1"}}}
    prove_image(before, after, edit.image)
    for wrong in (before, {"services": {**after["services"], "other": {"image": "app:v2"}}}):
        with pytest.raises(EditRefusedError, match="this image"):
            prove_image(before, wrong, edit.image)
    both = edit.then(edit.files.take_ports("web", [(80, Protocol.TCP)]))
    port = {"target": 80, "published": "80", "protocol": "tcp"}
    prove_intents(
        {"services": {"web": {"image": "app:v1", "ports": [port]}}},
        {"services": {"web": {"image": "app:v2"}}},
        both.intents,
    )
    assert text_of(both) == TEXT.replace("app:v1   #", "app:v2   #").replace('    ports: ["80:80"]\n', "")


@pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no corpus of compose files: CUTOVER_CORPUS names none, none beside the checkout"
)
def test_real_files_change_by_the_image_alone() -> None:
    """One value differs, and the inverse gives the bytes back."""
    done = 0
    for name, files in _corpus():
        content = files.contents()[name]
        for service in files.services():
            with contextlib.suppress(EditRefusedError):
                edit = files.set_image(service, "host.example:5000/app:v9")
                grown = len(edit.files.contents()[name]) - len(content)
                assert grown == len("host.example:5000/app:v9") - len(edit.image.before.encode()), (name, service)
                assert edit.files.apply_inverse(edit.image.inverse()).files.contents() == files.contents()
                done += 1
    assert done > 50


def _corpus() -> Iterator[tuple[str, FileSet]]:
    for path in sorted(CORPUS.iterdir())[::3]:
        with contextlib.suppress(EditRefusedError):
            yield path.name, FileSet.parse({path.name: path.read_bytes()})

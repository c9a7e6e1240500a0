"""Compose files as text: edits that disturb nothing else.

    files = FileSet.open([Path("compose.yml"), Path("compose.gpu.yml")])
    edit = files.move_ports("manager", "suite", [(5570, Protocol.TCP)], env=env)
    judge_move(config, files.contents(), edit.files.contents(), edit.move)
    print(edit.diff())

Nothing here writes to disk or runs Docker. An edit is spliced into the text at parsed positions and proven twice: the
new text must re-parse to exactly the tree that was meant, and `docker compose config`, which the caller runs, must
show exactly the change that was meant.
"""

from cutover.document.document import Document, Path, Service
from cutover.document.edit import Edit
from cutover.document.entries import set_entry, unset_entry
from cutover.document.fileset import FileSet, SetEdit
from cutover.document.gpu import add_gpu_reservation
from cutover.document.intent import Inverse, PortMove
from cutover.document.inverse import apply_inverse
from cutover.document.judge import differences, expected_model, judge_move, prove_model
from cutover.document.move import move_ports
from cutover.document.ports import PortEntry
from cutover.document.services import add_service_after, remove_service
from cutover.document.source import HAS_LIBYAML
from cutover.document.values import append_item, delete, put, remove_item, set_scalar

__all__ = [
    "HAS_LIBYAML",
    "Document",
    "Edit",
    "FileSet",
    "Inverse",
    "Path",
    "PortEntry",
    "PortMove",
    "Service",
    "SetEdit",
    "add_gpu_reservation",
    "add_service_after",
    "append_item",
    "apply_inverse",
    "delete",
    "differences",
    "expected_model",
    "judge_move",
    "move_ports",
    "prove_model",
    "put",
    "remove_item",
    "remove_service",
    "set_entry",
    "set_scalar",
    "unset_entry",
]

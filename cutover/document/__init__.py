"""Compose files as text: edits that disturb nothing else.

    files = FileSet.open([Path("compose.yml"), Path("compose.gpu.yml")])
    edit = files.move_ports("manager", "suite", [(5570, Protocol.TCP)], env=env)
    judge_move(config, files.contents(), edit.files.contents(), edit.move)
    print(edit.diff())

Nothing here writes to disk or runs Docker. An edit is spliced into the text at parsed positions and proven twice: the
new text must re-parse to exactly the tree that was meant, and `docker compose config`, which the caller runs, must
show exactly the change that was meant.

Every refusal is an `EditRefusedError` with file, line where there is one, and one of these references:

=================================  ===================================================================================
the file cannot be understood      not-utf8 bare-cr odd-line-end invalid-yaml several-documents duplicate-key
                                   nested-too-deep dangling-alias recursive-alias alias-bomb not-a-mapping
no such thing                      service-unknown port-not-declared path-unknown item-unknown inverse-unknown
it is there already                port-already-declared service-exists path-taken item-exists gpu-already-reserved
another place would feel it        shared-by-alias anchor-in-use value-is-alias merged-list merged-value
                                   inherited-by-extends service-in-use last-service
the port comes from elsewhere      port-from-merge-key port-from-extends service-from-include extends-unreadable
                                   port-in-several-files
only a part of an entry would go   port-in-range retarget-in-range retarget-in-variable
wrong kind of value                not-a-list not-a-scalar tagged-list tagged-value service-empty cannot-publish
                                   same-service body-invalid
the image comes from elsewhere     image-not-declared image-from-extends image-from-variable image-changed image-invalid
it cannot be written without harm  comment-would-be-lost unusual-layout edit-overlaps edit-not-proven model-differs
=================================  ===================================================================================
"""

from cutover.document.document import Document, Path, Service
from cutover.document.edit import Edit
from cutover.document.entries import set_entry, unset_entry
from cutover.document.fileset import FileSet
from cutover.document.gpu import add_gpu_reservation
from cutover.document.intent import ImageChange, Inverse, PortMove, PortTake
from cutover.document.inverse import apply_inverse
from cutover.document.judge import (
    differences,
    expected_model,
    judge_move,
    prove_image,
    prove_intents,
    prove_model,
    prove_take,
)
from cutover.document.move import move_ports
from cutover.document.ports import PortEntry
from cutover.document.services import add_service_after, remove_service
from cutover.document.setedit import SetEdit
from cutover.document.source import HAS_LIBYAML
from cutover.document.taking import take_of
from cutover.document.values import append_item, delete, put, remove_item, set_scalar

__all__ = [
    "HAS_LIBYAML",
    "Document",
    "Edit",
    "FileSet",
    "ImageChange",
    "Inverse",
    "Path",
    "PortEntry",
    "PortMove",
    "PortTake",
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
    "prove_image",
    "prove_intents",
    "prove_model",
    "prove_take",
    "put",
    "remove_item",
    "remove_service",
    "set_entry",
    "set_scalar",
    "take_of",
    "unset_entry",
]

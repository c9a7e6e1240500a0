"""The override file of a test stack: blue beside green, on test ports, with nothing of green's in its reach.

Pure: it works on what Compose made of the files. The file that comes out adds one service that *extends* the origin,
so that no value of the user's files is copied into it, and takes off what would get in green's way.
"""

from cutover.document.override.inside import numbers_inside
from cutover.document.override.lost import lost
from cutover.document.override.ports import (
    asked,
    joined,
    ports_of,
    published_by,
    refuse_portless,
    see_network,
    with_mapping,
)
from cutover.document.override.service import Facts, derive
from cutover.document.override.text import once_written, ports_in, tries_only, untouched
from cutover.document.override.values import (
    LOOPBACK,
    Override,
    OverrideRequest,
    Service,
    TestPort,
    WantedPort,
    instead,
)

__all__ = [
    "LOOPBACK",
    "Facts",
    "Override",
    "OverrideRequest",
    "Service",
    "TestPort",
    "WantedPort",
    "asked",
    "derive",
    "instead",
    "joined",
    "lost",
    "numbers_inside",
    "once_written",
    "ports_in",
    "ports_of",
    "published_by",
    "refuse_portless",
    "see_network",
    "tries_only",
    "untouched",
    "with_mapping",
]

"""nftables through its library, so that this process can own a table.

The kernel removes a table with the flag `owner` when the socket that made it is closed, however its process ends
(Linux 5.12; nft(8), "owner"). The command `nft` ends at once, and its tables with it.
"""

from __future__ import annotations

import ctypes
import json
import time
from typing import Any

LIBRARY = "libnftables.so.1"
LIST_TRIES = 20
AGAIN_S = 0.05


class NftError(Exception):
    """The kernel, or the library, refused a script."""


class Nft:
    """One connection to the kernel's nftables, open as long as this process lives."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(LIBRARY)
        self._lib.nft_ctx_new.restype = ctypes.c_void_p
        self._lib.nft_ctx_new.argtypes = [ctypes.c_uint32]
        self._lib.nft_ctx_set_dry_run.argtypes = [ctypes.c_void_p, ctypes.c_bool]
        self._lib.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        self._lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output"):
            getattr(self._lib, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_get_error_buffer", "nft_ctx_get_output_buffer"):
            getattr(self._lib, name).argtypes = [ctypes.c_void_p]
            getattr(self._lib, name).restype = ctypes.c_char_p
        self._context = self._lib.nft_ctx_new(0)
        if not self._context:
            raise NftError("nftables cannot be reached")
        self._lib.nft_ctx_buffer_error(self._context)
        self._lib.nft_ctx_buffer_output(self._context)

    def run(self, script: str, *, dry: bool = False, as_json: bool = False) -> str:
        """Run a script as one transaction and return its output; `dry` only checks it.

        Raises:
            NftError: it was refused, and nothing of it was done.

        """
        self._lib.nft_ctx_set_dry_run(self._context, dry)
        self._lib.nft_ctx_output_set_flags(self._context, 1 << 4 if as_json else 0)
        failed = self._lib.nft_run_cmd_from_buffer(self._context, script.encode())
        output: bytes = self._lib.nft_ctx_get_output_buffer(self._context) or b""
        error: bytes = self._lib.nft_ctx_get_error_buffer(self._context) or b""
        if failed:
            raise NftError(error.decode(errors="replace").strip())
        return output.decode(errors="replace")

    def listed(self, command: str) -> dict[str, Any]:
        """Return what a command lists; asked again where rules change meanwhile: the library prints half of it then.

        Raises:
            NftError: it was refused, or the rules did not stand still.

        """
        for _ in range(LIST_TRIES):
            try:
                found: dict[str, Any] = json.loads(self.run(command, as_json=True))
            except ValueError:
                time.sleep(AGAIN_S)
                continue
            return found
        raise NftError(f"nft {command}: the rules change all the time")

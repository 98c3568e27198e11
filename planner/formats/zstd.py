"""Zstandard files as a stream of bytes that notices where a file is cut off."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

import zstandard

if TYPE_CHECKING:
    from typing_extensions import Buffer  # of collections.abc from Python 3.12 on

_CHUNK_BYTES = 1 << 20


class ZstdStream(io.RawIOBase):
    """Decompressed bytes of one or more frames; zstandard's own reader takes the end of a cut file for its end.

    Reading raises EOFError where the last frame is not whole, and for bytes that are no zstandard.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, target: Buffer) -> int:
        """Fill the target with what comes next; 0 is the end."""
        while not self._ready:
            if not self._decompress():
                return 0
        view = memoryview(target).cast("B")
        n_bytes = min(len(view), len(self._ready))
        view[:n_bytes] = self._ready[:n_bytes]
        self._ready = self._ready[n_bytes:]
        return n_bytes

    def _decompress(self) -> bool:
        packed = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
        packed = packed or self._raw.read(_CHUNK_BYTES)
        if not packed:
            if self._begun:
                raise EOFError("the last frame is not whole")
            return False
        self._begun = True
        try:
            self._ready = memoryview(self._frame.decompress(packed))
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error
        return True

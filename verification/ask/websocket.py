"""Frames of a websocket, read and written as a browser does.

Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import IO, Final

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FINAL_BIT: Final = 0x80
OPCODE_BITS: Final = 0x0F
MASK_BIT: Final = 0x80
LENGTH_BITS: Final = 0x7F
LONG_LENGTHS: Final = {126: 2, 127: 8}
"""Lengths that say in how many bytes after them the length stands."""
LONGEST_BYTES: Final = 1 << 20
"""No message that is read here is longer by far."""
SHORT_BYTES: Final = 125
CODE_BYTES: Final = 2


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One frame.

    Attributes:
        opcode: What it is, for example :data:`TEXT`.
        payload: What it carries.
    """

    opcode: int
    payload: bytes

    @property
    def closing(self) -> str:
        """In words, why a :data:`CLOSE` frame closes."""
        code, reason = self.payload[:CODE_BYTES], self.payload[CODE_BYTES:].decode(errors="replace")
        return " ".join(filter(None, ["closed", str(int.from_bytes(code, "big")) if code else "", reason]))


def read_frame(stream: IO[bytes]) -> Frame | None:
    """The next frame of a server, which masks none; None where the connection has ended.

    Raises:
        ValueError: It is no frame, or longer than any that is expected.
    """
    header = stream.read(2)
    if len(header) < len(b"xx"):
        return None
    length = header[1] & LENGTH_BITS
    if length in LONG_LENGTHS:
        length = int.from_bytes(stream.read(LONG_LENGTHS[length]), "big")
    if header[1] & MASK_BIT or length > LONGEST_BYTES:
        raise ValueError("what came after the upgrade is not of a websocket's server")
    payload = stream.read(length)
    return Frame(opcode=header[0] & OPCODE_BITS, payload=payload) if len(payload) == length else None


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A frame of a client, of up to 125 bytes: masked, as a client's have to be."""
    if len(payload) > SHORT_BYTES:
        raise ValueError(f"{len(payload)} bytes are more than the {SHORT_BYTES} of a short frame")
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[index % len(mask)] for index, byte in enumerate(payload))
    return bytes([FINAL_BIT | opcode, MASK_BIT | len(payload)]) + mask + masked

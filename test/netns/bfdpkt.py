"""BFD control packets (RFC 5880 section 4.1): bytes <-> Control.

Deliberately independent of the daemon's C codec, so that one checks the other. Nothing here
judges a packet except `reject_reason`; every field can be set to anything, since a test peer must
be able to lie.
"""

import struct
from dataclasses import dataclass
from typing import Optional

ADMIN_DOWN, DOWN, INIT, UP = range(4)
STATE_NAMES = ("AdminDown", "Down", "Init", "Up")

DIAG_NONE, DIAG_TIMEOUT, DIAG_ECHO_FAILED, DIAG_NEIGHBOR_DOWN, DIAG_FORWARDING_RESET = range(5)
DIAG_PATH_DOWN, DIAG_CONCAT_PATH_DOWN, DIAG_ADMIN_DOWN, DIAG_REVERSE_PATH_DOWN = range(5, 9)

PORT_DIRECT, PORT_ECHO, PORT_MULTIHOP = 3784, 3785, 4784

_HEAD = struct.Struct("!BBBBIIIII")
HEADER_LENGTH = _HEAD.size  # 24


@dataclass
class Control:
    """One control packet; the intervals are microseconds, as on the wire."""

    version: int = 1
    diag: int = DIAG_NONE
    state: int = DOWN
    poll: bool = False
    final: bool = False
    cpi: bool = False
    auth_present: bool = False
    demand: bool = False
    multipoint: bool = False
    detect_mult: int = 3
    length: Optional[int] = None  # None: encode() fills in the true length
    my_disc: int = 0
    your_disc: int = 0
    desired_min_tx: int = 1_000_000
    required_min_rx: int = 1_000_000
    required_min_echo_rx: int = 0
    auth: bytes = b""  # the authentication section, and whatever else follows the header

    def encode(self):
        """The packet's bytes. `auth_present` is the A bit alone; `auth` is appended regardless."""
        flags = (self.poll << 5 | self.final << 4 | self.cpi << 3 | self.auth_present << 2
                 | self.demand << 1 | self.multipoint)
        length = HEADER_LENGTH + len(self.auth) if self.length is None else self.length
        return _HEAD.pack(self.version << 5 | self.diag, self.state << 6 | flags, self.detect_mult, length,
                          self.my_disc, self.your_disc, self.desired_min_tx, self.required_min_rx,
                          self.required_min_echo_rx) + self.auth

    @property
    def state_name(self):
        return STATE_NAMES[self.state]


def decode(data):
    """Bytes to Control; ValueError when there is not even a whole header."""
    if len(data) < HEADER_LENGTH:
        raise ValueError(f"{len(data)} bytes are no BFD control packet")
    vdiag, sflags, mult, length, mine, yours, tx, rx, echo = _HEAD.unpack_from(data)
    return Control(
        version=vdiag >> 5, diag=vdiag & 0x1F, state=sflags >> 6, poll=bool(sflags & 0x20),
        final=bool(sflags & 0x10), cpi=bool(sflags & 0x08), auth_present=bool(sflags & 0x04),
        demand=bool(sflags & 0x02), multipoint=bool(sflags & 0x01), detect_mult=mult, length=length,
        my_disc=mine, your_disc=yours, desired_min_tx=tx, required_min_rx=rx,
        required_min_echo_rx=echo, auth=bytes(data[HEADER_LENGTH:]))


def reject_reason(packet, size):
    """Why RFC 5880 section 6.8.6 discards `packet`, received in `size` bytes; None if it does not."""
    if packet.version != 1:
        return "version"
    if packet.length < (26 if packet.auth_present else 24) or packet.length > size:
        return "length"
    if not packet.detect_mult:
        return "detect mult"
    if packet.multipoint:
        return "multipoint"
    if not packet.my_disc:
        return "my discriminator"
    if not packet.your_disc and packet.state not in (DOWN, ADMIN_DOWN):
        return "your discriminator"
    return None

"""What the operating system refuses: no room, no access, a disk that fails. It is the user's to mend."""

from __future__ import annotations

import errno
import os
import re

_REFUSALS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)
_RUST = re.compile(r"\(os error (\d+)\)")
"""How libraries in Rust (safetensors, tokenizers) end what they say of such an error, whatever its class here."""


def refusal(error: BaseException) -> str | None:
    """What was refused and where, in one line; None where an error is of another kind."""
    found = _RUST.search(str(error))
    number = error.errno if isinstance(error, OSError) else int(found[1]) if found else None
    if number not in _REFUSALS:
        return None
    place = getattr(error, "filename", None)
    return os.strerror(number) + (f": {os.fspath(place)}" if place else "")

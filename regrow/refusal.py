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
_TOLD = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
"""How such an error is worded by libraries in Rust (safetensors, tokenizers), and within errors that list others."""


def refusal(error: BaseException) -> str | None:
    """What was refused and where, in one line; None where an error is of another kind."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := _TOLD.search(str(error))):
        number = int(found[1] or found[2])
    if number not in _REFUSALS:
        return None
    place = getattr(error, "filename", None)
    return os.strerror(number) + (f": {os.fspath(place)}" if place else "")

"""How the C library gives memory back to the system.

glibc takes the size of the largest freed block as the new bound below which blocks share one heap, which ends at its
last used byte. After one body of 25 MiB all pieces of bodies lie there, and a small block behind them keeps the whole:
measured, a flood left 28 to 132 MiB. With a fixed bound it leaves 13 to 23, and its peak is a third lower.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KIB = 1024


def give_large_blocks_back() -> None:
    """Have blocks of 128 KiB and more returned to the system when they are freed; other C libraries do so anyway."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 128 * _KIB)
        mallopt(_M_TRIM_THRESHOLD, 1024 * _KIB)

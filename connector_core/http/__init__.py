"""HTTP sessions whose calls end in time, and bodies of requests, unpacked within limits."""

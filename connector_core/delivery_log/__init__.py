"""The delivery log: what came in and what was called, written down behind the work and never in its way."""

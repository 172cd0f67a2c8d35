"""The HTTP surface: what comes in from platforms and ticketing systems, health, metrics, the return from consent."""

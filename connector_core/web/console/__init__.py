"""The console: set-up and supervision in a browser. Pages only; what they do is in the core."""

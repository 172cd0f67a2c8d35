"""The Request Tracker plugin without a server."""

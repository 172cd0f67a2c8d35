"""Tickets: created, edited, closed, commented on and read again, and why one is gone."""

"""Linking tickets that are there already: one that somebody names, many from a table, all that carry our mark."""

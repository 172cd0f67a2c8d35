"""Integrations and sources as handles: their sessions, grants and authorizations."""

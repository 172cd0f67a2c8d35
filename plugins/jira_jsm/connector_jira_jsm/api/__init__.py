"""Jira over HTTP: calls, what responses mean, rate limits."""

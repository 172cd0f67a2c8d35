"""Authorizing: consent and tokens, sites, how long it all is good."""

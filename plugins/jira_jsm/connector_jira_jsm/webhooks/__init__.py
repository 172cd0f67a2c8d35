"""Jira's webhooks: deliveries that come in, and a webhook that the connector manages."""

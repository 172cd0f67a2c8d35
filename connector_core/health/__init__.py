"""What is tried and what is found: check-ups, webhooks, the clock."""

"""What comes in: deliveries and events, and the webhooks that a plugin manages."""

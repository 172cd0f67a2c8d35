"""What is tried without changing anything: an integration's needs, its form, a ticket that was moved."""

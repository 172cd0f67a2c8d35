"""What a plugin sees, and nothing else: hooks, records, errors, handles; `connector_core` hands it out."""

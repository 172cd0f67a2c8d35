"""What a plugin is tried with: changes as the core makes them, faults in its session, caught deliveries, checks."""

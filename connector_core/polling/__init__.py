"""What is asked for at intervals: sources, reconciliation, the schedule."""

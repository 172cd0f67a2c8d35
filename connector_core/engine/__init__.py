"""Lanes on workers, circuit breakers, back-off."""

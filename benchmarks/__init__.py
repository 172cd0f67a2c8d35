"""Figures of speed and memory, printed with the machine's details; never part of the tests."""

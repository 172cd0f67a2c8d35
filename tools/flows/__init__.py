"""How many files and frames of ours a flow goes through: `python -m tools.flows`."""

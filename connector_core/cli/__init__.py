"""The command line: parse, call one function, print. Only `main.py` ends the process."""

"""What plugins share that talk to a ticketing system: each imports the modules that it needs, by their names.

Nothing here knows a vendor. A plugin says what is particular to its own, such as how errors are worded, as a value.
"""

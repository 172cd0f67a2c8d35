"""What people read about what is stored: the database holds facts, this package has the words for them.

One file for each thing that is spoken about, each a table from what it is to what is said of it: `timeline.py`,
`link_status.py`, `advice.py`. Read them to edit the language; no other file has to change.
"""

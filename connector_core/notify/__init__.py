"""Telling people what needs attention: conditions, what changed, the message, and the channels that carry it.

What is so comes in as `Condition`s (`polling/conditions.py` reads them where statuses are computed). `changes.py` holds
them against what was told before, as stored `Notice`s; `messages.py` puts what is due into words; `sending.py` hands
the message to a channel. Nothing here reads the database: `polling/notifying.py` does, and calls these in turn.
"""

"""The text of tickets: wiki markup and documents, plain text, titles, mentions."""

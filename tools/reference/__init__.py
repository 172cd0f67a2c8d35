"""The pages of the docs that are made from the code: configuration, commands, HTTP, metrics, codes."""

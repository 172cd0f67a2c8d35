"""The demonstration: a sandbox, a sample incident platform and the real daemon, telling the whole story."""

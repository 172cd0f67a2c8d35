"""Fields of requests: their kinds and forms, priorities, and how Jira's JSON becomes the core's records."""

"""One step of one lane: create a ticket, write what changed, sync comments, meet failures."""

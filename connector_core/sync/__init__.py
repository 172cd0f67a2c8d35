"""One step of one lane: create a ticket, write what changed, carry comments, meet failures."""

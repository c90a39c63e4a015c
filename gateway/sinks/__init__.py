"""Everything that events and readings go to over a network."""

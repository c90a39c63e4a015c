"""The alarm's life after its table: events, words, escalation, what a restart takes up."""

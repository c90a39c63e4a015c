"""The record on the card: events, blocks of readings, latches."""

"""The gateway's own health: devices' silence, the board, the card, the clock, certificates."""

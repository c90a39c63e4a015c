"""The small far side: receives, sounds, signs receipts, acknowledges."""

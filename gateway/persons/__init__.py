"""What named persons and far sides ask, prove and are answered."""

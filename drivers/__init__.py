"""Devices: bytes in, measurements out. No I/O here, and nothing of `gateway` is imported."""

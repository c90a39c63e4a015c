"""A venue made of bytes: real ports, real frames, mock pins, fault scripts."""

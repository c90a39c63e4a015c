"""Contacts as people see them: seals and their openings, lamps."""

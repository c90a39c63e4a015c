"""Everything that bytes or levels come from: serial buses, contacts, files."""

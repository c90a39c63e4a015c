"""`venue-gateway doctor`: what is wrong, why it matters, how to mend it. Safe while the gateway runs, and quick.

A family of checks is one module; a check says only what it saw. `registry.FAMILIES` lists them all.
"""

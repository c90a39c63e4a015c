"""`venue-gateway watch`: a live page for the venue's own terminal, also over a slow line."""

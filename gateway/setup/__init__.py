"""`venue-gateway setup`: a configuration from answers, asked one by one, or read from a table of venues."""

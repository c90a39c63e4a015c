"""The environment's figures: sound levels, air, climate, vibration, and the minute records that they are made of."""

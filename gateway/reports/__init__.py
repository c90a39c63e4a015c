"""What the record can answer on paper: noise of a period, a complaint, a day. Read only; nothing runs for it."""

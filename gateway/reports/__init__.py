"""Reports to print and to hand over."""

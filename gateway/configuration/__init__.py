"""The configuration: the tables, the strict door, what stays armed, and the last good file."""

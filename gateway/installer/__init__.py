"""What the installer asks of the machine: buses, instruments, boot files."""

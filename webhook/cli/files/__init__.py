"""Plans and pods that a command reads from files."""

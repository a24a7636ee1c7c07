"""Where the serving certificate comes from, and how the server takes over a new one."""

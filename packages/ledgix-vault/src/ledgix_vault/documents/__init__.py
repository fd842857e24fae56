"""Documents from outside: read in a child process with limits, and fetched from where a tenant keeps them."""

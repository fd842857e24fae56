"""The Ledgix gateway: a protected edge that lets only approved calls reach a tool."""

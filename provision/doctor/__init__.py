"""What is wrong with this workspace, or this machine, and how to fix it. Read-only."""

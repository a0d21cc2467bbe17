"""What a terminal shows, and which character of the output put it there: for recordings and for commands that run."""

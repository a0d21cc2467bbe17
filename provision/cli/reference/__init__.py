"""What the command line says about itself: its tree as values, from which come completion, man pages and the reference."""

"""Find secrets in terminal output, as written and as shown on the screen: for recordings and for running commands."""

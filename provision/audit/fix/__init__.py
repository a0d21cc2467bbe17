"""`audit --fix`: show what can be fixed without loss, back it up encrypted, fix it; `audit --undo` restores it."""

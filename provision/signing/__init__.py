"""SSH signatures (SSHSIG), who may sign (`allowed_signers`), and the strict readers of signed text and JSON."""

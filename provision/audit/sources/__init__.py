"""Where an audit looks: file trees, git history, processes, file names."""

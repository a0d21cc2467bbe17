"""What an audit reads: file trees, git history, processes, file names."""

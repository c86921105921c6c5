"""What a verification found, for people at a terminal and in Markdown."""

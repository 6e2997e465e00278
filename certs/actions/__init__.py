"""What a department does to many certificates at once: download, suspend, propose revocation."""

"""Row-level security, table by table."""

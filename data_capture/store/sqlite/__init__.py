"""The store over one SQLite file: connections, group commit, and the SQL of each kind of row."""

-- The table of another signup program, written by hand. The passwords are hashed with SHA-256:
-- Ann's is "correct horse", Bob's is "hunter22".
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    unique_id TEXT UNIQUE,
    username TEXT NOT NULL,
    email TEXT UNIQUE NOT NULL,
    password_hash TEXT NOT NULL,
    plan_type TEXT DEFAULT 'free',
    normalized_email TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    consent_accepted BOOLEAN DEFAULT 0,
    consent_timestamp TIMESTAMP,
    last_login TIMESTAMP,
    status TEXT DEFAULT 'active'
);
CREATE INDEX idx_users_plan ON users (plan_type);

INSERT INTO users (unique_id, username, email, password_hash, plan_type, normalized_email, created_at, consent_accepted, last_login)
VALUES
    ('A1B2C3', 'ann', 'Ann@Example.COM', '4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631', 'premium',
     'ann@example.com', '2023-05-01 09:00:00', 1, '2023-06-01 10:00:00'),
    ('D4E5F6', 'bob', 'bob@example.com', '20D2FE5E369DB54EC7090639A9DC30EC4D608604936239D39E2DE07FDA09EB0B', NULL, 'bob@example.com', '2023-05-02T09:00:00', 0, NULL),
    ('G7H8I9', 'cyd', 'cyd@example.com', 'pbkdf2:sha256:260000$salt$1234', 'free', 'cyd@example.com', '2023-05-03 09:00:00', 0, NULL);

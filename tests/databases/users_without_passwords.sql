-- The small table of a program that stores passwords elsewhere.
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT UNIQUE NOT NULL,
    email TEXT UNIQUE NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

INSERT INTO users (username, email, created_at)
VALUES ('ann', 'Ann@Example.COM', '2023-05-01 09:00:00'), ('bob', 'bob@example.com', '2023-05-02 09:00:00');

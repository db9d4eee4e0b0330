-- The table of users_in_sql.sql as an ORM creates it, with more columns and the same passwords.
CREATE TABLE users (
	id INTEGER NOT NULL,
	uuid VARCHAR(36),
	unique_id VARCHAR(6) NOT NULL,
	username VARCHAR(80) NOT NULL,
	email VARCHAR(120) NOT NULL,
	normalized_email VARCHAR(120) NOT NULL,
	password_hash VARCHAR(255) NOT NULL,
	first_name VARCHAR(80),
	last_name VARCHAR(80),
	phone VARCHAR(20),
	plan_type VARCHAR(20) NOT NULL,
	created_at DATETIME NOT NULL,
	consent_accepted BOOLEAN NOT NULL,
	consent_timestamp DATETIME,
	last_login DATETIME,
	status VARCHAR(20),
	PRIMARY KEY (id),
	UNIQUE (uuid),
	UNIQUE (unique_id),
	UNIQUE (username),
	UNIQUE (normalized_email),
	CHECK (consent_accepted IN (0, 1))
);
CREATE UNIQUE INDEX ix_users_email ON users (email);

INSERT INTO users (uuid, unique_id, username, email, normalized_email, password_hash, first_name, last_name, plan_type, created_at,
                   consent_accepted, status)
VALUES
    ('7d444840-9dc0-11d1-b245-5ffdce74fad2', 'A1B2C3', 'ann', 'Ann@Example.COM', 'ann@example.com',
     '4104d36f8da2c254349f85836793ebe029e0c957063a34c91c2e9203187b5631', 'Ann', 'Archer', 'premium', '2023-05-01 09:00:00.000000', 1, 'active'),
    ('7d444841-9dc0-11d1-b245-5ffdce74fad2', 'D4E5F6', 'bob', 'bob@example.com', 'bob@example.com', '20D2FE5E369DB54EC7090639A9DC30EC4D608604936239D39E2DE07FDA09EB0B', 'Bob', NULL, 'free',
     '2023-05-02 09:00:00.000000', 0, 'active'),
    ('7d444842-9dc0-11d1-b245-5ffdce74fad2', 'G7H8I9', 'cyd', 'cyd@example.com', 'cyd@example.com', 'pbkdf2:sha256:260000$salt$1234',
     NULL, NULL, 'free', '2023-05-03 09:00:00.000000', 0, NULL);

-- Tables, a view and a trigger of other programs in the same file. Some names are like ours.
CREATE TABLE customer_service_data (
    id INTEGER PRIMARY KEY, customer_id INTEGER, email TEXT NOT NULL, data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE user_activities (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), activity TEXT);
CREATE TABLE user_progress (user_id INTEGER PRIMARY KEY REFERENCES users (id), step TEXT NOT NULL DEFAULT 'start');
CREATE TABLE payments (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, amount REAL NOT NULL, status TEXT
);
CREATE TABLE audit_logs (id INTEGER PRIMARY KEY, actor TEXT NOT NULL, action TEXT NOT NULL, at REAL NOT NULL);
CREATE VIEW paying_users AS SELECT u.email, sum(p.amount) AS paid FROM users AS u JOIN payments AS p ON p.user_id = u.id GROUP BY u.id;
CREATE TRIGGER users_get_progress AFTER INSERT ON users BEGIN
    INSERT INTO user_progress (user_id) VALUES (new.id);
END;

INSERT INTO customer_service_data (customer_id, email, data) VALUES (1, 'Ann@Example.COM', '{"note": "called"}');
INSERT INTO user_activities (user_id, activity) VALUES (1, 'login'), (2, 'login');
INSERT INTO user_progress (user_id, step) VALUES (1, 'paid');
INSERT INTO payments (user_id, amount, status) VALUES (1, 99.8, 'completed');
INSERT INTO audit_logs (actor, action, at) VALUES ('ann', 'login', 1682931600.5);

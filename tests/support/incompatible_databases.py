"""List databases that cannot be adopted.

`INCOMPATIBLE` maps a description to the scripts or statements that create the database, and to the
texts that the error must contain.
"""

from __future__ import annotations

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE NOT NULL, username TEXT);"

INCOMPATIBLE = {
    "another program's audit table": (
        ["users_in_sql.sql", "another_data_capture_audit.sql"],
        [
            "data_capture_audit",
            "user_email",
            "capture_type",
            "ALTER TABLE data_capture_audit RENAME TO data_capture_audit_old",
        ],
    ),
    "a payment_data that lacks columns": (
        ["CREATE TABLE payment_data (id INTEGER PRIMARY KEY, user_email TEXT)"],
        [
            "payment_data",
            "plan_name",
            "original_price",
            "ALTER TABLE payment_data RENAME TO payment_data_old",
        ],
    ),
    "a payment_data with an unknown required column": (
        [
            "schema.sql",
            "DROP TABLE payment_data; CREATE TABLE payment_data ("
            "id INTEGER PRIMARY KEY, shop TEXT NOT NULL, user_id, user_email, user_name, "
            "plan_name, original_price, discount_amount, final_price, coupon_code, "
            "payment_method, transaction_id, payment_status, payment_processor, "
            "crypto_transaction_hash, crypto_from_address, crypto_amount, ip_address, "
            "user_agent, created_at, updated_at)",
        ],
        ["payment_data", "requires the column shop", "ALTER TABLE"],
    ),
    "an old table that was renamed before": (
        ["another_data_capture_audit.sql", "CREATE TABLE data_capture_audit_old (id)"],
        ["RENAME TO data_capture_audit_old2"],
    ),
    "a view with the name of our table": (
        ["CREATE VIEW dashboard_data AS SELECT 1 AS id"],
        ["dashboard_data is a view"],
    ),
    "an email that is not unique": (
        ["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL)"],
        ["email", "users", "not unique", "CREATE UNIQUE INDEX"],
    ),
    "an email with a partial unique index": (
        [
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT); "
            "CREATE UNIQUE INDEX some ON users (email) WHERE id > 5"
        ],
        ["not unique"],
    ),
    "an email that is unique only per tenant": (
        ["CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, tenant, UNIQUE (email, tenant))"],
        ["not unique"],
    ),
    "no email": (
        ["CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT UNIQUE)"],
        ["users", "no column email"],
    ),
    "a users table with an unknown required column": (
        [
            USERS + "ALTER TABLE users ADD COLUMN shoe_size INTEGER NOT NULL DEFAULT 0;"
            "DROP TABLE users; CREATE TABLE users ("
            "id INTEGER PRIMARY KEY, email TEXT UNIQUE, shoe_size INTEGER NOT NULL)"
        ],
        ["users", "shoe_size"],
    ),
    "users is a view": (
        ["CREATE TABLE people (email TEXT UNIQUE); CREATE VIEW users AS SELECT email FROM people"],
        ["users is a view"],
    ),
    "users is a virtual table": (
        ["CREATE VIRTUAL TABLE users USING fts5 (email)"],
        ["users is a virtual table"],
    ),
    "a trigger that rejects new users": (
        [
            USERS + "CREATE TRIGGER invited BEFORE INSERT ON users BEGIN "
            "SELECT RAISE(ABORT, 'by invitation only'); END"
        ],
        ["users", "by invitation only"],
    ),
    "a unique index that allows one payment per user": (
        ["schema.sql", "CREATE UNIQUE INDEX once ON payment_data (user_email)"],
        ["payment_data", "UNIQUE constraint failed"],
    ),
    "a users table that allows one user": (
        [
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, "
            "phone TEXT NOT NULL UNIQUE)"
        ],
        ["users", "phone"],
    ),
    "a CHECK that rejects a password hash": (
        [
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, "
            "password_hash TEXT CHECK (length(password_hash) <= 64))"
        ],
        ["users", "length(password_hash)"],
    ),
    "a unique index with another collation": (
        [
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL); "
            "CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE)"
        ],
        ["foreign key mismatch"],
    ),
}

-- The two tables that the other servers write: payments and audit records, each with an index.

CREATE TABLE payment_data (
    id                      INTEGER PRIMARY KEY,
    user_email              TEXT NOT NULL,
    user_name               TEXT,
    plan_name               TEXT,
    original_price          DECIMAL(10,2),
    discount_amount         DECIMAL(10,2),
    final_price             DECIMAL(10,2),
    coupon_code             TEXT,
    payment_method          TEXT,
    transaction_id          TEXT,
    payment_status          TEXT,
    payment_processor       TEXT,
    crypto_transaction_hash TEXT,
    crypto_from_address     TEXT,
    crypto_amount           TEXT,
    -- Datasette needs a column for each JSON member: capture_id, capture_timestamp, type.
    capture_id              TEXT,
    capture_timestamp       TEXT,
    type                    TEXT,
    created_at              TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE data_capture_audit (
    id            INTEGER PRIMARY KEY,
    user_email    TEXT NOT NULL,
    capture_type  TEXT NOT NULL,
    data_snapshot TEXT,
    timestamp     TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE INDEX payment_data_by_user       ON payment_data       (user_email, created_at);
CREATE INDEX data_capture_audit_by_user ON data_capture_audit (user_email, timestamp);

-- The audit table of another capture program: the name of ours, with other columns.
CREATE TABLE data_capture_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id TEXT NOT NULL,
    capture_stage TEXT NOT NULL,
    data_snapshot TEXT,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

INSERT INTO data_capture_audit (customer_id, capture_stage, data_snapshot) VALUES ('c-1', 'payment', '{"amount": 99.8}');

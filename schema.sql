-- Enhanced Data Capture: every table of trading_bots.db.
--
--   sqlite3 trading_bots.db < schema.sql
--
-- creates a database, or adds the missing tables to an existing one. It drops and alters nothing.
-- Objects that an earlier version of this file made differently are replaced when a service starts
-- (data_capture/store/sqlite/schema_history.py).
-- Times are ISO 8601 in UTC with milliseconds and a Z, so that text order is time order.
--
-- SQLite stores CREATE statements as text, with the comments inside: leave those comments unchanged.

PRAGMA foreign_keys = ON;

BEGIN;

-- One row per user. `email` identifies the user; the tables below refer to it. A user who was
-- captured before signing up has status 'provisional' and the password hash '!', which no password
-- matches.
CREATE TABLE IF NOT EXISTS users (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    unique_id         TEXT UNIQUE,
    username          TEXT NOT NULL,
    full_name         TEXT,
    email             TEXT NOT NULL UNIQUE,
    password_hash     TEXT NOT NULL,
    plan_type         TEXT DEFAULT 'free',
    normalized_email  TEXT NOT NULL,
    created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    consent_accepted  INTEGER DEFAULT 0,
    consent_timestamp TEXT,
    last_login        TEXT,
    status            TEXT DEFAULT 'active'
);

CREATE TABLE IF NOT EXISTS payment_data (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id                 INTEGER,
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
    ip_address              TEXT,
    user_agent              TEXT,
    created_at              TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at              TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

CREATE TABLE IF NOT EXISTS questionnaire_data (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id             INTEGER,
    user_email          TEXT NOT NULL,
    user_name           TEXT,
    trades_per_day      TEXT,
    trading_session     TEXT,
    crypto_assets       TEXT,              -- JSON array
    forex_assets        TEXT,              -- JSON array
    custom_forex_pairs  TEXT,              -- JSON array
    has_account         TEXT,
    account_equity      DECIMAL(12,2),
    prop_firm           TEXT,
    account_type        TEXT,
    account_size        DECIMAL(12,2),
    risk_percentage     DECIMAL(5,2),
    risk_reward_ratio   TEXT,
    account_screenshot  TEXT,              -- base64, as the page sent it
    screenshot_filename TEXT,
    screenshot_size     INTEGER,           -- bytes
    screenshot_type     TEXT,              -- media type, by its content
    ip_address          TEXT,
    user_agent          TEXT,
    created_at          TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at          TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

-- One row per state of a user's dashboard. While the state stays the same, only `updated_at`
-- changes.
CREATE TABLE IF NOT EXISTS dashboard_data (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id                  INTEGER,
    user_email               TEXT NOT NULL,
    user_name                TEXT,
    initial_equity           DECIMAL(12,2),
    current_equity           DECIMAL(12,2),
    total_pnl                DECIMAL(12,2),
    win_rate                 DECIMAL(5,2),
    total_trades             INTEGER,
    winning_trades           INTEGER,
    losing_trades            INTEGER,
    average_win              DECIMAL(10,2),
    average_loss             DECIMAL(10,2),
    profit_factor            DECIMAL(10,4),
    max_drawdown             DECIMAL(10,2),
    current_drawdown         DECIMAL(10,2),
    gross_profit             DECIMAL(12,2),
    gross_loss               DECIMAL(12,2),
    consecutive_wins         INTEGER,
    consecutive_losses       INTEGER,
    risk_per_trade           DECIMAL(5,2),
    daily_loss_limit         DECIMAL(5,2),
    consecutive_losses_limit INTEGER,
    account_balance          DECIMAL(12,2),
    account_equity_dash      DECIMAL(12,2),
    theme                    TEXT DEFAULT 'dark',
    dashboard_state          TEXT,         -- JSON
    trading_state            TEXT,         -- JSON
    ip_address               TEXT,
    user_agent               TEXT,
    created_at               TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at               TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

CREATE TABLE IF NOT EXISTS trading_activity_log (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_email    TEXT NOT NULL,
    activity_type TEXT,
    activity_data TEXT,                    -- JSON
    timestamp     TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ip_address    TEXT,
    user_agent    TEXT,
    FOREIGN KEY (user_email) REFERENCES users (email)
);

-- One audit record per write, inserted in the same transaction as the rows that it describes.
CREATE TABLE IF NOT EXISTS data_capture_audit (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    user_email      TEXT NOT NULL,
    capture_type    TEXT NOT NULL,
    data_snapshot   TEXT,                  -- JSON: the payload as it came, secrets masked; `_masked` lists which
    source_endpoint TEXT,
    timestamp       TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ip_address      TEXT,
    user_agent      TEXT,
    status          TEXT DEFAULT 'success',  -- 'success', or 'partial' when a field was not understood
    error_details   TEXT,
    FOREIGN KEY (user_email) REFERENCES users (email)
);

-- Proves that no audit record was changed, removed or inserted: one entry per record, each linked
-- to the entry before. data_capture/audit/format.py describes the computation, and `python3 -m
-- data_capture verify-audit` checks it.
CREATE TABLE IF NOT EXISTS data_capture_audit_chain (
    audit_id   INTEGER PRIMARY KEY,        -- data_capture_audit.id
    adopted    INTEGER NOT NULL,           -- 1: the record was there before the chain began
    salt       BLOB,                       -- NULL: an erasure has taken it
    commitment BLOB NOT NULL,
    link       BLOB NOT NULL
);

-- The response to each capture_id of a user: a capture that is sent again gets the first response
-- and adds no row. A receipt is deleted with its row. The digests are keyed
-- (trading_bots.keys/receipts.key): without the key, no guess at a payload can be confirmed. The
-- primary key begins with the capture_id because the script's ids begin with the time, so that
-- receipts of one commit are on the same pages. There is no foreign key: a receipt whose user or
-- row is gone does not count, and is purged.
CREATE TABLE IF NOT EXISTS capture_receipts (
    user_email     TEXT NOT NULL,
    capture_id     TEXT NOT NULL,
    capture_type   TEXT NOT NULL,
    row_id         INTEGER NOT NULL,
    outcome        TEXT NOT NULL,          -- 'stored', or 'unchanged' when the row was there already
    payload_digest BLOB NOT NULL,          -- keyed digest of the masked payload
    content_digest BLOB,                   -- the same without its times and ids; NULL: an earlier capture has the same content
    key_id         BLOB,                   -- says which key; NULL: an unknown one
    confirmed      INTEGER NOT NULL DEFAULT 0,  -- 1: sent with the admin token or a write token; 0: a claim of any caller
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (capture_id, user_email)
) WITHOUT ROWID;

-- What is known of a payment beside the columns of its row, written in the same transaction. The
-- amount is a whole number in minor units of the currency (cents), or in hundredths if the currency
-- is NULL. There is no foreign key, as for receipts: facts whose payment is gone do not count, and
-- are purged. The source can also be a payment provider, whose event confirmed the payment. A payment
-- without facts, such as a row inserted by hand, gets them within seconds from
-- the running service.
CREATE TABLE IF NOT EXISTS payment_facts (
    payment_id   INTEGER PRIMARY KEY,      -- payment_data.id
    user_email   TEXT NOT NULL,
    currency     TEXT,                     -- ISO code; NULL: not known
    status       TEXT NOT NULL,            -- 'pending', 'completed', 'failed', 'refunded', 'cancelled', 'disputed', 'unknown'
    amount_minor INTEGER,                  -- the final price; NULL: not known
    confirmed_at TEXT,                     -- NULL: a claim of any caller
    source       TEXT NOT NULL             -- 'claim', or 'confirmed' when it was sent with the admin token or a write token
);

-- The events that payment providers sent with a valid signature, each once. They confirm, complete,
-- refund or dispute the payment with one of their numbers: its facts follow from all its events, and
-- payment_facts.source names the provider. An event without a payment waits for one, for 90 days.
CREATE TABLE IF NOT EXISTS payment_events (
    provider      TEXT NOT NULL,           -- 'stripe', 'nowpayments' or 'coinbase-commerce'
    event_id      TEXT NOT NULL,
    event_type    TEXT NOT NULL,
    status        TEXT NOT NULL,           -- as in payment_facts, or 'dispute_won'
    currency      TEXT,
    amount_minor  INTEGER,
    occurred_at   TEXT NOT NULL,           -- by the provider's clock
    received_at   TEXT NOT NULL,
    user_email    TEXT,                    -- the payment's user; while there is no payment, the payer whom the event names
    payer_hash    TEXT,                    -- keyed hash of that payer's address, as in data_capture_erasures
    payment_id    INTEGER,                 -- payment_data.id
    made_payment  INTEGER NOT NULL DEFAULT 0,  -- 1: no page sent the payment, the event made its row
    claimed_facts TEXT,                    -- JSON: the payment's facts without its events
    PRIMARY KEY (provider, event_id)
) WITHOUT ROWID;

-- The numbers in these events, as payment_data.transaction_id has them.
CREATE TABLE IF NOT EXISTS payment_event_numbers (
    number       TEXT NOT NULL,
    provider     TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    is_reference INTEGER NOT NULL,         -- 1: the shop's own id, which several payments may have
    PRIMARY KEY (number, provider, event_id),
    FOREIGN KEY (provider, event_id) REFERENCES payment_events (provider, event_id) ON DELETE CASCADE
) WITHOUT ROWID;

-- The page's own ids of users, records and payments, as keyed hashes (trading_bots.keys/receipts.key).
-- By them, an update that says only `id=eq.77` finds its user and its payment. An id that two users
-- have identifies neither.
CREATE TABLE IF NOT EXISTS page_ids (
    id_hash    BLOB NOT NULL,
    user_email TEXT NOT NULL,
    row_id     INTEGER,                    -- payment_data.id; NULL: it identifies the user only; 0: several payments have it
    created_at TEXT NOT NULL,
    PRIMARY KEY (id_hash, user_email)
) WITHOUT ROWID;

-- Updates of which is not known whose row they change: the page's request names an id that no
-- capture has named before. They belong to no user, and no other table has them. A capture that
-- makes the id known attributes them. They are kept for 90 days.
CREATE TABLE IF NOT EXISTS unattributed_captures (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    capture_id      TEXT NOT NULL UNIQUE,
    capture_type    TEXT NOT NULL,
    target          TEXT NOT NULL,         -- the path and query of the page's request, secrets masked
    payload         TEXT,                  -- JSON, secrets masked; NULL: it is attributed, and in the audit trail
    reason          TEXT NOT NULL,
    user_email      TEXT,                  -- the user to whom it was attributed later, or whom it only names
    attributed_at   TEXT,                  -- NULL: it is not
    row_id          INTEGER,               -- the row that it made or changed then
    id_hash         BLOB,                  -- keyed hash of the id that it names
    payload_digest  BLOB NOT NULL,         -- keyed digest, as in capture_receipts
    key_id          BLOB,
    happened_at     TEXT NOT NULL,
    received_at     TEXT NOT NULL,
    source_endpoint TEXT,
    ip_address      TEXT,
    user_agent      TEXT
);

-- One tombstone per erased address, without the address. For 30 days, captures from before the
-- erasure that pages send late are rejected.
CREATE TABLE IF NOT EXISTS data_capture_erasures (
    address_hash TEXT PRIMARY KEY,         -- HMAC-SHA-256 of the address, under a key that lies outside the database
    erased_at    TEXT NOT NULL,
    remaining    INTEGER NOT NULL          -- 2: the file is to be rewritten, 1: the log is to be emptied, 0: nothing
) WITHOUT ROWID;

-- Password hashes, for databases whose `users` table is an older program's and has no such column.
CREATE TABLE IF NOT EXISTS user_credentials (
    user_email    TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

-- A user's rows by time, and in the order of their arrival: SQLite ends an index with the row's id.
-- The latest row is the one that arrived last. `updated_at` is in the dashboards' index because it
-- is at the end of the row, and rows can be long.
CREATE INDEX IF NOT EXISTS payment_data_by_person         ON payment_data         (user_email, created_at);
CREATE INDEX IF NOT EXISTS payment_data_by_transaction    ON payment_data         (transaction_id, user_email)
    WHERE transaction_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS payment_data_without_number    ON payment_data         (user_email, created_at)
    WHERE transaction_id IS NULL;
CREATE INDEX IF NOT EXISTS questionnaire_data_by_person   ON questionnaire_data   (user_email, created_at);
CREATE INDEX IF NOT EXISTS questionnaire_data_by_arrival  ON questionnaire_data   (user_email);
CREATE INDEX IF NOT EXISTS dashboard_data_by_person       ON dashboard_data       (user_email, created_at);
CREATE INDEX IF NOT EXISTS dashboard_data_by_arrival      ON dashboard_data       (user_email, id, updated_at);
CREATE INDEX IF NOT EXISTS trading_activity_log_by_person ON trading_activity_log (user_email, timestamp);
CREATE INDEX IF NOT EXISTS data_capture_audit_by_person   ON data_capture_audit   (user_email, timestamp);

-- Which content of a row is in the audit trail, and which rows are confirmed.
CREATE INDEX IF NOT EXISTS capture_receipts_by_row        ON capture_receipts     (row_id, content_digest);
CREATE INDEX IF NOT EXISTS capture_receipts_confirmed     ON capture_receipts     (user_email, capture_type, row_id, confirmed)
    WHERE confirmed = 1;

CREATE INDEX IF NOT EXISTS payment_facts_confirmed        ON payment_facts        (user_email, payment_id)
    WHERE confirmed_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS payment_events_by_payment      ON payment_events       (payment_id);
CREATE INDEX IF NOT EXISTS payment_event_numbers_by_event ON payment_event_numbers (provider, event_id);

CREATE INDEX IF NOT EXISTS page_ids_by_user               ON page_ids              (user_email);
CREATE INDEX IF NOT EXISTS unattributed_captures_by_user  ON unattributed_captures (user_email);
CREATE INDEX IF NOT EXISTS unattributed_captures_waiting  ON unattributed_captures (id_hash)
    WHERE attributed_at IS NULL;

-- Finds a user whose address an older program stored with capitals.
CREATE INDEX IF NOT EXISTS users_by_lower_email           ON users                (lower(email));

CREATE VIEW IF NOT EXISTS audit_logs AS
SELECT id, timestamp, user_email, capture_type, status, error_details, source_endpoint, ip_address, user_agent, data_snapshot
FROM data_capture_audit;

-- The source of each captured row: 'confirmed' (sent with the admin token or a write token), or
-- 'claim' (anyone can send one).
CREATE VIEW IF NOT EXISTS capture_sources AS
SELECT capture_type, row_id, user_email,
       CASE WHEN EXISTS (SELECT 1
                         FROM capture_receipts AS receipt
                         WHERE receipt.confirmed = 1 AND receipt.user_email = captured.user_email
                           AND receipt.capture_type = captured.capture_type AND receipt.row_id = captured.row_id)
              OR (captured.capture_type = 'payment'
                  AND EXISTS (SELECT 1
                              FROM payment_facts AS facts
                              WHERE facts.payment_id = captured.row_id AND facts.user_email = captured.user_email
                                AND facts.confirmed_at IS NOT NULL))
            THEN 'confirmed' ELSE 'claim' END AS source
FROM (SELECT 'payment' AS capture_type, id AS row_id, user_email FROM payment_data
      UNION ALL SELECT 'questionnaire', id, user_email FROM questionnaire_data
      UNION ALL SELECT 'dashboard', id, user_email FROM dashboard_data
      UNION ALL SELECT 'activity', id, user_email FROM trading_activity_log) AS captured;

-- The latest state of each payment: a payment that went from pending to completed has two rows in
-- payment_data and one here. The latest state is the one that arrived last, whatever its time. A
-- claim never hides a confirmed state. `status`, `currency` and `amount_minor` are those of
-- payment_facts; `payment_status` and the prices are what was sent.
CREATE VIEW IF NOT EXISTS payments_latest AS
SELECT id, user_id, payment.user_email, user_name, plan_name, original_price, discount_amount, final_price, coupon_code,
       payment_method, transaction_id, payment_status, payment_processor, crypto_transaction_hash, crypto_from_address,
       crypto_amount, ip_address, user_agent, created_at, updated_at,
       CASE WHEN confirmed_at IS NOT NULL THEN 'confirmed' ELSE 'claim' END AS source,
       coalesce(status, 'unknown') AS status, currency, amount_minor, confirmed_at, nullif(facts.source, 'claim') AS confirmed_by
FROM payment_data AS payment LEFT JOIN payment_facts AS facts
     ON facts.payment_id = payment.id AND facts.user_email = payment.user_email
WHERE transaction_id IS NULL
   OR id = coalesce(
           (SELECT state.id
            FROM payment_facts AS confirmed CROSS JOIN payment_data AS state
            WHERE confirmed.confirmed_at IS NOT NULL AND confirmed.user_email = payment.user_email
              AND state.id = confirmed.payment_id AND state.user_email = payment.user_email
              AND state.transaction_id = payment.transaction_id
            ORDER BY confirmed.payment_id DESC
            LIMIT 1),
           (SELECT state.id
            FROM payment_data AS state
            WHERE state.user_email = payment.user_email AND state.transaction_id = payment.transaction_id
            ORDER BY state.id DESC
            LIMIT 1));

COMMIT;

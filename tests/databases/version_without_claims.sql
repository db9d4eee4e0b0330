-- A dump of a database that the last version before claims created, with its own comments. It has
-- 12 captures of three users; the row of one capture was deleted by hand.
BEGIN TRANSACTION;
CREATE TABLE capture_receipts (
    capture_id     TEXT PRIMARY KEY,
    capture_type   TEXT NOT NULL,
    row_id         INTEGER NOT NULL,
    outcome        TEXT NOT NULL,          -- 'stored', or 'unchanged' when the row was there already
    payload_digest BLOB NOT NULL,          -- SHA-256 of the masked payload
    created_at     TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
INSERT INTO "capture_receipts" VALUES('a-1','payment',1,'stored',X'CC4335CCB1FBE82F08D308583FDC925684B17EF599DD9D8E79AF214CBC8CBE77','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-2','payment',2,'stored',X'E1939EE765C416B63108519BA75DBC4F76ADB05D919F1662B72BD83158530171','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-3','payment',2,'unchanged',X'C5386E76AF50716A2F146098D1C62CA3BDC6806EE26F6C2D3EC4FC0F3C31E770','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-4','questionnaire',1,'stored',X'B06F89317B649F09D05631073E75F983FC42F04C3CDC54BCBD93E2F82C0E4D68','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-5','dashboard',1,'stored',X'46D951031478E88C4257B897F34A9A590DF787ADB21D89EBF3A2D7C183E8DC9F','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-6','dashboard',1,'unchanged',X'648F9C7A9AD3FE91AE5A66243971EADC9030D490A6A54DB456CBE3DAFCE4C842','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('a-7','dashboard',1,'unchanged',X'D6070A7A1109D851A9DF5B75671D5D733F86A1BEEF5A59412FAAA95CE16FC0A5','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('b-1','payment',3,'stored',X'45B926422A3CA2A108C48775A4A4F53B1B1B6FF40398839FA4EF66A6B5962105','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('b-2','payment',4,'stored',X'91A09E4F214B440DB52DFCA8442227AA1975D21383454FC6BE5A0CFFB3B43BB1','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('b-3','activity',1,'stored',X'24DE03FEB6C55610944D16554F3D68242592B75E8064F0AACE3F3BE9C033A5CD','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('gone-1','activity',2,'stored',X'6ACEAF689E878EFFB46C751B2098389AFD4324F8AB7F2EDB846C29C3F7A6E962','2026-03-01T12:00:00.000Z');
INSERT INTO "capture_receipts" VALUES('gone-2','activity',3,'stored',X'75E8EFA115E5EBA3D1DEF9570EA32256F48905FCEDF7B9E11A9E980743638F31','2026-03-01T12:00:00.000Z');
CREATE TABLE dashboard_data (
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
INSERT INTO "dashboard_data" VALUES(1,NULL,'ann@example.com',NULL,NULL,1000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'dark',NULL,'{"currentEquity":1000}','192.0.2.7','a browser','2026-03-01T12:00:00.000Z','2026-03-01T12:00:00.000Z');
CREATE TABLE data_capture_audit (
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
INSERT INTO "data_capture_audit" VALUES(1,'ann@example.com','payment','{"user_email":"ann@example.com","capture_id":"a-1","transaction_id":"TX-1","final_price":"49.00","payment_status":"pending"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(2,'ann@example.com','payment','{"user_email":"ann@example.com","capture_id":"a-2","transaction_id":"TX-1","final_price":"49.00","payment_status":"completed","vat_id":"DE1"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(3,'bob@example.com','payment','{"user_email":"bob@example.com","capture_id":"b-1","transaction_id":"TX-1","final_price":"9.00","payment_status":"completed","capture_timestamp":"2026-03-01T12:04:59.000Z"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(4,'bob@example.com','payment','{"user_email":"bob@example.com","capture_id":"b-2","transaction_id":"TX-1","final_price":"9.00","payment_status":"refunded","capture_timestamp":"2026-03-01T12:00:00.000Z"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(5,'ann@example.com','questionnaire','{"user_email":"ann@example.com","capture_id":"a-4","tradesPerDay":"3-5"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(6,'ann@example.com','dashboard','{"user_email":"ann@example.com","capture_id":"a-5","tradingState":{"currentEquity":1000}}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(7,'bob@example.com','activity','{"user_email":"bob@example.com","capture_id":"b-3","activity_type":"login"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(8,'bob@example.com','activity','{"user_email":"bob@example.com","capture_id":"gone-1","activity_type":"logout"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
INSERT INTO "data_capture_audit" VALUES(9,'cyd@example.com','activity','{"user_email":"cyd@example.com","capture_id":"gone-2","activity_type":"login"}','/api/data-capture/batch','2026-03-01T12:00:00.000Z','192.0.2.7','a browser','success',NULL);
CREATE TABLE data_capture_audit_chain (
    audit_id   INTEGER PRIMARY KEY,        -- data_capture_audit.id
    adopted    INTEGER NOT NULL,           -- 1: the record was there before the chain began
    salt       BLOB,                       -- NULL: an erasure has taken it
    commitment BLOB NOT NULL,
    link       BLOB NOT NULL
);
INSERT INTO "data_capture_audit_chain" VALUES(1,0,X'CDB8C1FE3A0DACB56CC5BAA992A24F95',X'2BF591F6438EC77CF9382E28B0FF55076C3E85DFC8F74C2C489E28536B745AF9',X'0EE6A6B095D5AC20BB418AB6F349F5507FC9AF0902AD9BC604D196BE81BF85DD');
INSERT INTO "data_capture_audit_chain" VALUES(2,0,X'230CA058A766ED2007DBB345842F9CD6',X'C718D2535AB642292B059E0521E405F84AECBE1DB2A4CC1EE62D0B80552E15E4',X'A66DD6E76FCDB383733D4E7552EEF0B4764647971FB6C81E917FC1E07AEBCFA5');
INSERT INTO "data_capture_audit_chain" VALUES(3,0,X'1166E723736F05AE228830560AE627E0',X'52283CF776DBFAC4E9ED3355FA0BE20E798A635F40FE9D15E71FE3E93DF17EBC',X'8A1D45425221191635BCA65051C5A4D38527B8A1AF1AB095F9A7C0069C28E474');
INSERT INTO "data_capture_audit_chain" VALUES(4,0,X'A58C3226407A68527A16CBE03B3B133F',X'3C73606BE2244C0C4CB9B8E939965EA97F358F0052FE0429B4065FEF5E45F4C4',X'9E935CFD98FF0D195E37272DF04BBCB1AB73736148565CE37502EB8D1E2D0C82');
INSERT INTO "data_capture_audit_chain" VALUES(5,0,X'2D893B7808948FB29DB82CD6DE9EC7BD',X'42B33C90718B31B4A541BC6AD45ED778D1C922327736BEA07DA9DD162D74C236',X'78FA4D5C1B629E6076B371A7C05EF0E89E30E683F9CEA2A823BF055B672E2196');
INSERT INTO "data_capture_audit_chain" VALUES(6,0,X'A44E9F37A21C555D0421178C6DC94ABD',X'5FA637B3841C6F3ACCC1ED190217FEC5D6706FB389AD9AECB2834237A7855A61',X'496A75B716005618856A9D17CFF4ACAAFCB83AE8777479DB72640D7EDEF40986');
INSERT INTO "data_capture_audit_chain" VALUES(7,0,X'3BC6EDF3C934D930CB80232A77D4861D',X'C55B10DD19CE53E65CB1CD5E5F4BE4F5A739D7EC776086A26B875F1718C38DC6',X'25DCEC82CF324A15536B635F54ABC22E965BDFC09556720C8D003CBAF93AAB71');
INSERT INTO "data_capture_audit_chain" VALUES(8,0,X'004DB1E0DEFB92B88D5872805F2A5B75',X'408D1BBA96339C97B7F1887666F15A3175328E9CAF7D04CAD4374E45BDA12846',X'7272B56E7F026919AEAC2224CC76765829BA0F35AD541C184B2873DC0DD2819F');
INSERT INTO "data_capture_audit_chain" VALUES(9,0,X'39F4F901420DED3BF7654769B4B1A6A9',X'45A599E5735CF4370EBD832A5DC354E8A92A4895435F78EAC54450756BAB9C33',X'726DD39E4DFA127B9F776B8A43DD2CE1ABE39361791C2484394008F58D5951E3');
CREATE TABLE data_capture_erasures (
    address_hash TEXT PRIMARY KEY,         -- HMAC-SHA-256 of the address, under a key that lies outside the database
    erased_at    TEXT NOT NULL,
    remaining    INTEGER NOT NULL          -- 2: the file is to be rewritten, 1: the log is to be emptied, 0: nothing
) WITHOUT ROWID;
CREATE TABLE payment_data (
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
INSERT INTO "payment_data" VALUES(1,NULL,'ann@example.com',NULL,NULL,NULL,NULL,49,NULL,NULL,'TX-1','pending',NULL,NULL,NULL,NULL,'192.0.2.7','a browser','2026-03-01T12:00:00.000Z','2026-03-01T12:00:00.000Z');
INSERT INTO "payment_data" VALUES(2,NULL,'ann@example.com',NULL,NULL,NULL,NULL,49,NULL,NULL,'TX-1','completed',NULL,NULL,NULL,NULL,'192.0.2.7','a browser','2026-03-01T12:00:00.000Z','2026-03-01T12:00:00.000Z');
INSERT INTO "payment_data" VALUES(3,NULL,'bob@example.com',NULL,NULL,NULL,NULL,9,NULL,NULL,'TX-1','completed',NULL,NULL,NULL,NULL,'192.0.2.7','a browser','2026-03-01T12:04:59.000Z','2026-03-01T12:04:59.000Z');
INSERT INTO "payment_data" VALUES(4,NULL,'bob@example.com',NULL,NULL,NULL,NULL,9,NULL,NULL,'TX-1','refunded',NULL,NULL,NULL,NULL,'192.0.2.7','a browser','2026-03-01T12:00:00.000Z','2026-03-01T12:00:00.000Z');
CREATE TABLE questionnaire_data (
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
INSERT INTO "questionnaire_data" VALUES(1,NULL,'ann@example.com',NULL,'3-5',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'192.0.2.7','a browser','2026-03-01T12:00:00.000Z','2026-03-01T12:00:00.000Z');
CREATE TABLE trading_activity_log (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_email    TEXT NOT NULL,
    activity_type TEXT,
    activity_data TEXT,                    -- JSON
    timestamp     TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    ip_address    TEXT,
    user_agent    TEXT,
    FOREIGN KEY (user_email) REFERENCES users (email)
);
INSERT INTO "trading_activity_log" VALUES(1,'bob@example.com','login',NULL,'2026-03-01T12:00:00.000Z','192.0.2.7','a browser');
INSERT INTO "trading_activity_log" VALUES(3,'cyd@example.com','login',NULL,'2026-03-01T12:00:00.000Z','192.0.2.7','a browser');
CREATE TABLE user_credentials (
    user_email    TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    updated_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    FOREIGN KEY (user_email) REFERENCES users (email)
);
CREATE TABLE users (
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
INSERT INTO "users" VALUES(1,'6TCFGI','ann',NULL,'ann@example.com','!','free','ann@example.com','2026-03-01T12:00:00.000Z',0,NULL,NULL,'provisional');
INSERT INTO "users" VALUES(2,'XO0DIE','bob',NULL,'bob@example.com','!','free','bob@example.com','2026-03-01T12:00:00.000Z',0,NULL,NULL,'provisional');
INSERT INTO "users" VALUES(3,'0CU29W','cyd',NULL,'cyd@example.com','!','free','cyd@example.com','2026-03-01T12:00:00.000Z',0,NULL,NULL,'provisional');
CREATE INDEX payment_data_by_person         ON payment_data         (user_email, created_at);
CREATE INDEX payment_data_by_transaction    ON payment_data         (user_email, transaction_id, created_at)
    WHERE transaction_id IS NOT NULL;
CREATE INDEX questionnaire_data_by_person   ON questionnaire_data   (user_email, created_at);
CREATE INDEX dashboard_data_by_person       ON dashboard_data       (user_email, created_at);
CREATE INDEX dashboard_data_by_update       ON dashboard_data       (user_email, updated_at);
CREATE INDEX trading_activity_log_by_person ON trading_activity_log (user_email, timestamp);
CREATE INDEX data_capture_audit_by_person   ON data_capture_audit   (user_email, timestamp);
CREATE INDEX users_by_lower_email           ON users                (lower(email));
CREATE VIEW audit_logs AS
SELECT id, timestamp, user_email, capture_type, status, error_details, source_endpoint, ip_address, user_agent, data_snapshot
FROM data_capture_audit;
CREATE VIEW payments_latest AS
SELECT id, user_id, user_email, user_name, plan_name, original_price, discount_amount, final_price, coupon_code, payment_method,
       transaction_id, payment_status, payment_processor, crypto_transaction_hash, crypto_from_address, crypto_amount,
       ip_address, user_agent, created_at, updated_at
FROM payment_data AS payment
WHERE transaction_id IS NULL
   OR id = (SELECT state.id
            FROM payment_data AS state
            WHERE state.user_email = payment.user_email AND state.transaction_id = payment.transaction_id
            ORDER BY state.created_at DESC, state.id DESC
            LIMIT 1);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('users',3);
INSERT INTO "sqlite_sequence" VALUES('payment_data',4);
INSERT INTO "sqlite_sequence" VALUES('data_capture_audit',9);
INSERT INTO "sqlite_sequence" VALUES('questionnaire_data',1);
INSERT INTO "sqlite_sequence" VALUES('dashboard_data',1);
INSERT INTO "sqlite_sequence" VALUES('trading_activity_log',3);
COMMIT;

-- Datasette's write API inserts into one table per request. A trigger writes the audit record, in
-- the same transaction.

CREATE TRIGGER payment_audit AFTER INSERT ON payment_data BEGIN
    INSERT INTO data_capture_audit (user_email, capture_type, data_snapshot)
    VALUES (new.user_email, 'payment', json_object(
        'user_name', new.user_name, 'plan_name', new.plan_name,
        'original_price', new.original_price, 'discount_amount', new.discount_amount,
        'final_price', new.final_price, 'coupon_code', new.coupon_code,
        'payment_method', new.payment_method, 'transaction_id', new.transaction_id,
        'payment_status', new.payment_status, 'payment_processor', new.payment_processor,
        'capture_id', new.capture_id, 'capture_timestamp', new.capture_timestamp
    ));
END;

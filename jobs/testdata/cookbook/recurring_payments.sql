-- subscription
SELECT s(i, 'PK')[5:], split_part(s(i, 'SK'), '#', 2), s(i, 'SKU'), s(i, 'Email'), s(i, 'PaymentDay')::INT, s(i, 'PaymentAmount')::DECIMAL(10,2), s(i, 'LastPaymentDate')::TIMESTAMPTZ, s(i, 'NextPaymentDate')::DATE, i->>'$.PaymentDetails.M."default-card".S', s(i, 'CreatedDate')::TIMESTAMPTZ FROM latest WHERE s(i, 'SK') LIKE 'SUB#%';
-- receipt
SELECT s(i, 'PK')[5:], s(i, 'ProcessedDate')::TIMESTAMPTZ, s(i, 'SKU'), s(i, 'Email'), s(i, 'ProcessedAmount')::DECIMAL(10,2), utc(n(i, 'TTL')::BIGINT * 1000)
FROM change WHERE s(i, 'SK') LIKE 'REC#%';
-- expired_receipt
SELECT s(old, 'PK')[5:], s(old, 'SK')[5:], utc(ts) FROM change WHERE ttl AND s(old, 'SK') LIKE 'REC#%';

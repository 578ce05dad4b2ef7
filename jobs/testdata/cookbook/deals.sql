-- deal
SELECT s(i, 'deal_id'), s(i, 'title'), s(i, 'link'), n(i, 'price')::DECIMAL(10,2), s(i, 'category'), s(i, 'brand'), s(i, 'created_at')::TIMESTAMPTZ FROM latest WHERE s(i, 'PK') LIKE 'DEAL#%';
-- brand
SELECT s(i, 'brand_name'), s(i, 'brand_logo_url'), n(i, 'likes')::INT FROM latest WHERE s(i, 'PK') LIKE 'BRAND#%';
-- brand_name
SELECT unnest(set(i, 'brands')) FROM latest WHERE s(i, 'PK') = 'BRANDS';
-- category
SELECT s(i, 'category_name'), n(i, 'likes')::INT FROM latest WHERE s(i, 'PK') LIKE 'CATEGORY#%';
-- featured_deal
SELECT page, position::INT, d->>'$.M.deal_title.S'
FROM (SELECT s(i, 'PK') AS page, generate_subscripts(l(i, 'featured_deals'), 1) AS position, unnest(l(i, 'featured_deals')) AS d FROM latest);
-- user_interest
SELECT s(i, 'user_name'), i->>'$.entity_type.SS[0]', coalesce(s(i, 'brand_name'), s(i, 'category_name')) FROM latest WHERE split_part(s(i, 'PK'), '#', 1) SIMILAR TO '.*(LIKE|WATCH)';
-- user
SELECT s(i, 'user_name'), s(i, 'created_at')::TIMESTAMPTZ FROM latest WHERE s(i, 'PK') LIKE 'USER#%';
-- message
SELECT s(i, 'user_name'), s(i, 'message_id'), s(i, 'subject'), s(i, 'body'), (i->>'$.unread.BOOL')::BOOL, s(i, 'created_at')::TIMESTAMPTZ FROM latest WHERE s(i, 'SK') LIKE 'MESSAGE#%';

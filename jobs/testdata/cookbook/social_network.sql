-- user
SELECT s(i, 'PK')[3:], s(i, 'name'), s(i, 'content'), s(i, 'imageUrl') FROM latest WHERE s(i, 'SK') = 'info';
-- user_count
SELECT s(i, 'PK')[3:], n(i, 'follower#')::BIGINT, n(i, 'following#')::BIGINT, n(i, 'post#')::BIGINT FROM latest WHERE s(i, 'SK') = 'count' AND s(i, 'PK') LIKE 'u#%';
-- follow
SELECT s(i, 'SK')[3:], split_part(s(i, 'PK'), '#', 2), utc(ts) FROM latest WHERE s(i, 'PK') LIKE '%#follower';
-- post
SELECT s(i, 'SK')[3:], split_part(s(i, 'PK'), '#', 2), s(i, 'content'), s(i, 'imageUrl'), utc(n(i, 'timestamp')::BIGINT * 1000) FROM latest WHERE s(i, 'PK') LIKE '%#post';
-- post_like
SELECT split_part(s(i, 'PK'), '#', 2), s(i, 'SK')[3:] FROM latest WHERE s(i, 'PK') LIKE '%#likelist';
-- post_like_count
SELECT split_part(s(i, 'PK'), '#', 2), n(i, 'count')::BIGINT FROM latest WHERE s(i, 'PK') LIKE '%#likecount';
-- timeline
SELECT split_part(s(i, 'PK'), '#', 2), split_part(s(i, 'SK'), '#', 2), split_part(s(i, 'SK'), '#', 4), utc(n(i, 'ttl')::BIGINT * 1000) FROM latest WHERE s(i, 'PK') LIKE '%#timeline';

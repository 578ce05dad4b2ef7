-- player
SELECT s(i, 'username'), s(i, 'name'), s(i, 'email'), s(i, 'birthdate')::DATE, s(i, 'address') FROM latest WHERE s(i, 'PK') LIKE 'USER#%';
-- game
SELECT s(i, 'game_id')::UUID, s(i, 'map'), s(i, 'creator'), n(i, 'people')::INT, s(i, 'create_time')::TIMESTAMP, s(i, 'start_time')::TIMESTAMP, s(i, 'end_time')::TIMESTAMP
FROM latest WHERE s(i, 'PK') LIKE 'GAME#%' AND s(i, 'SK') LIKE '#METADATA#%';
-- game_opening
SELECT s(i, 'game_id')::UUID, min(s(i, 'open_timestamp')::TIMESTAMP) FROM change WHERE s(i, 'open_timestamp') IS NOT NULL GROUP BY ALL;
-- participation
SELECT s(i, 'game_id')::UUID, s(i, 'username'), s(i, 'place') FROM latest WHERE s(i, 'PK') LIKE 'GAME#%' AND s(i, 'SK') LIKE 'USER#%';

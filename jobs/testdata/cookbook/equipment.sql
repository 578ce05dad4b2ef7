-- equipment
SELECT s(i, 'PK'), s(i, 'Name'), s(i, 'FactoryID')[3:], s(i, 'LineID')[3:] FROM latest WHERE s(i, 'SK') = 'Metadata';
-- current_state
SELECT s(i, 'PK'), n(i, 'Latest')::INT, s(i, 'State'), s(i, 'Time')::TIMESTAMP FROM latest WHERE s(i, 'SK') = 'v0';
-- state_version
SELECT s(i, 'PK'), s(i, 'SK')[2:]::INT, s(i, 'State'), s(i, 'Time')::TIMESTAMP FROM change WHERE regexp_full_match(s(i, 'SK'), 'v[1-9]\d*');

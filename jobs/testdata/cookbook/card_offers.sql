-- account
SELECT n(i, 'AccountId')::BIGINT, s(i, 'FirstName'), s(i, 'MiddleName'), s(i, 'LastName'), s(i, 'Emailid'), s(i, 'PlasticCardNumber') FROM latest WHERE s(i, 'SK') LIKE 'ACCT#%';
-- address
SELECT n(i, 'AccountId')::BIGINT, kind, i->>('$.Addresses.M.' || kind || '.M.street.S'), i->>('$.Addresses.M.' || kind || '.M.city.S'), i->>('$.Addresses.M.' || kind || '.M.country.S')
FROM (SELECT i, unnest(json_keys(i, '$.Addresses.M')) AS kind FROM latest WHERE s(i, 'SK') LIKE 'ACCT#%');
-- authorized_user
SELECT n(i, 'AccountId')::BIGINT, u[10:]::INT, i->>('$.AuthUsers.M."' || u || '".M.Name.S'), i->>('$.AuthUsers.M."' || u || '".M.PlasticCardNumber.S')
FROM (SELECT i, unnest(json_keys(i, '$.AuthUsers.M')) AS u FROM latest WHERE s(i, 'SK') LIKE 'ACCT#%');
-- offer
SELECT n(i, 'OfferId')::BIGINT, s(i, 'OfferType'), s(i, 'OfferSubType'), s(i, 'OfferDescription'), s(i, 'OfferEffectiveDate')::DATE, s(i, 'OfferExpiryDate')::DATE, s(i, 'CreatedDate')::DATE,
  s(i, 'CreatedBy'), s(i, 'OfferUrl') FROM latest WHERE s(i, 'PK') = s(i, 'SK') AND s(i, 'PK') LIKE 'OFR#%';
-- offer_item
SELECT n(i, 'OfferId')::BIGINT, split_part(s(i, 'SK'), '#', 4)::INT, s(i, 'AprType'), n(i, 'AprRate')::DECIMAL(5,2),
  ('{' || array_to_string([CASE WHEN i->>('$.' || a || '.N') IS NULL THEN concat('"', a, '":"', i->>('$.' || a || '.S'), '"') ELSE concat('"', a, '":', i->>('$.' || a || '.N')) END
    FOR a IN json_keys(i) IF a NOT IN ('OfferId', 'SK', 'AprType', 'AprRate')], ',') || '}')::JSON
FROM latest WHERE s(i, 'SK') LIKE 'OFR#%#ITEM#%';
-- account_offer
SELECT n(i, 'AccountId')::BIGINT, n(i, 'OfferId')::BIGINT, s(i, 'Status'), s(i, 'OfferType'), s(i, 'StatusChangeDate')::DATE, s(i, 'AccountOfferStartDate')::DATE, s(i, 'AccountOfferEndDate')::DATE
FROM latest WHERE s(i, 'PK') LIKE 'ACCT#%' AND s(i, 'SK') LIKE 'OFR#%';

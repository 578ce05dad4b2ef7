-- employee
SELECT n(i, 'employeeid')::INT, s(i, 'name'), s(i, 'title'), s(i, 'dept'), s(i, 'city'), s(i, 'state'), s(i, 'dob')::DATE, s(i, 'hire_date')::DATE, s(i, 'is_manager') IS NOT NULL
FROM latest WHERE s(i, 'SK') = 'master';
-- title
SELECT n(i, 'employeeid')::INT, split_part(s(i, 'SK'), '_', 1), split_part(s(i, 'SK'), '#', 2), s(i, 'hire_date')::DATE FROM latest WHERE s(i, 'SK') LIKE '%title#%';
-- location
SELECT n(i, 'employeeid')::INT, s(i, 'SK')[7:], split_part(s(i, 'city_dept'), '#', 1), split_part(s(i, 'city_dept'), '#', 2) FROM latest WHERE s(i, 'SK') LIKE 'state#%';

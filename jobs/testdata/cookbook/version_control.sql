-- repository
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'about'), s(i, 'license'), list_sort(set(i, 'topics')), (i->>'$.isPrivate.BOOL')::BOOL, coalesce(len(set(i, 'stars')), 0)::INT, s(i, 'createdAt')::TIMESTAMPTZ, s(i, 'updatedAt')::TIMESTAMPTZ
FROM latest WHERE s(i, '__edb_e__') = 'Repository';
-- star
SELECT s(i, 'repoOwner'), s(i, 'repoName'), unnest(set(i, 'stars')) FROM latest WHERE s(i, '__edb_e__') = 'Repository';
-- ticket
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'ticketType'), s(i, 'ticketNumber')::INT, s(i, 'username'), s(i, 'status') = '1', s(i, 'subject'), s(i, 'createdAt')::TIMESTAMPTZ, s(i, 'updatedAt')::TIMESTAMPTZ
FROM latest WHERE s(i, '__edb_e__') IN ('issue', 'pull-request');
-- review
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'ticketNumber')::INT, r, (i->>('$.reviewers.M.' || r || '.M.approved.BOOL'))::BOOL, (i->>('$.reviewers.M.' || r || '.M.updatedAt.S'))::TIMESTAMPTZ
FROM (SELECT i, unnest(json_keys(i, '$.reviewers.M')) AS r FROM latest WHERE s(i, '__edb_e__') = 'pull-request');
-- comment
SELECT s(i, 'commentId'), s(i, 'repoOwner'), s(i, 'repoName'), coalesce(s(i, 'issueNumber'), s(i, 'pullRequestNumber'))::INT, s(i, 'username'), s(i, 'replyTo'),
  nullif(s(i, 'replyViewed'), '#')::TIMESTAMPTZ, s(i, 'body'), s(i, 'createdAt')::TIMESTAMPTZ FROM latest WHERE s(i, '__edb_e__') LIKE '%-comment';
-- subscription
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'username'), s(i, 'ticketType'), s(i, 'ticketNumber'), s(i, 'createdAt')::TIMESTAMPTZ FROM latest WHERE s(i, '__edb_e__') = 'subscription';

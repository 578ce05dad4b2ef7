-- repository
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'about'), s(i, 'license'), (i->>'$.isPrivate.BOOL')::BOOL, coalesce(len(set(i, 'stars')), 0), s(i, 'createdAt')::TIMESTAMP, s(i, 'updatedAt')::TIMESTAMP
FROM latest WHERE s(i, '__edb_e__') = 'Repository';
-- star
SELECT s(i, 'repoOwner'), s(i, 'repoName'), unnest(set(i, 'stars')) FROM latest WHERE s(i, '__edb_e__') = 'Repository';
-- ticket
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'ticketType'), s(i, 'ticketNumber')::INT, s(i, 'username'), s(i, 'status') = '1', s(i, 'subject'), s(i, 'createdAt')::TIMESTAMP, s(i, 'updatedAt')::TIMESTAMP
FROM latest WHERE s(i, '__edb_e__') IN ('issue', 'pull-request');
-- comment
SELECT s(i, 'commentId'), s(i, 'repoOwner'), s(i, 'repoName'), coalesce(s(i, 'issueNumber'), s(i, 'pullRequestNumber'))::INT, s(i, 'username'), s(i, 'replyTo'),
  nullif(s(i, 'replyViewed'), '#')::TIMESTAMP, s(i, 'body'), s(i, 'createdAt')::TIMESTAMP FROM latest WHERE s(i, '__edb_e__') LIKE '%-comment';
-- subscription
SELECT s(i, 'repoOwner'), s(i, 'repoName'), s(i, 'username'), s(i, 'ticketType'), s(i, 'ticketNumber'), s(i, 'createdAt')::TIMESTAMP FROM latest WHERE s(i, '__edb_e__') = 'subscription';

-- complaint
SELECT s(i, 'complaint_id'), s(i, 'customer_id'), s(i, 'current_state'), s(i, 'severity'), s(i, 'complaint_description'), s(i, 'creation_time')::TIMESTAMP,
  s(i, 'escalated_to'), s(i, 'escalation_time')::TIMESTAMP FROM latest WHERE s(i, 'SK') = 'metadata';
-- communication
SELECT s(i, 'PK'), s(i, 'comm_id'), s(i, 'comm_date')::TIMESTAMP, s(i, 'complaint_state'), s(i, 'agentID'), s(i, 'comm_text'), list_sort(set(i, 'attachments')) FROM latest WHERE s(i, 'SK') LIKE 'comm#%';
-- attachment
SELECT s(i, 'PK'), s(i, 'comm_id'), unnest(set(i, 'attachments')) FROM latest WHERE s(i, 'SK') LIKE 'comm#%';

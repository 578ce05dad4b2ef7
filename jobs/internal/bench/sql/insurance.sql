-- One row for each dependent of each change; a change without dependents gives
-- one row. An empty list becomes [NULL] before unnest: several times cheaper
-- than a lateral join. Only the attributes used are declared.
COPY (
  SELECT split_part(d.NewImage.pk.S, '#', 2) AS customer_id,
         d.NewImage.sk.S AS transaction_id,
         unnest(CASE WHEN coalesce(len(d.NewImage.calculationRequirements.M.dependentIds.L), 0) = 0 THEN [NULL]
                     ELSE d.NewImage.calculationRequirements.M.dependentIds.L END).M.sk.S AS dependent_id,
         d.NewImage.OutofPockMax.N::INTEGER AS outofpocket_max,
         d.NewImage.OutofPockPercent.N::DECIMAL(5,2) AS outofpocket_percent,
         d.NewImage.OutofPockAmount.N::INTEGER AS outofpocket_amount,
         d.NewImage.Provider.S AS provider,
         d.NewImage.completionDateTime.S::TIMESTAMP AS completion_datetime,
         eventName AS event_name,
         make_timestamp(d.ApproximateCreationDateTime * 1000) AS created_at
  FROM (
    SELECT eventName, dynamodb AS d
    FROM read_json(${input}, format = 'newline_delimited', columns = {
      eventName: 'VARCHAR',
      dynamodb: 'STRUCT(
        ApproximateCreationDateTime BIGINT,
        NewImage STRUCT(
          pk STRUCT(S VARCHAR), sk STRUCT(S VARCHAR),
          completionDateTime STRUCT(S VARCHAR), Provider STRUCT(S VARCHAR),
          OutofPockPercent STRUCT(N VARCHAR), OutofPockAmount STRUCT(N VARCHAR), OutofPockMax STRUCT(N VARCHAR),
          calculationRequirements STRUCT(M STRUCT(dependentIds STRUCT(L STRUCT(M STRUCT(sk STRUCT(S VARCHAR)))[])))))'})
  )
  WHERE eventName <> 'REMOVE'
) TO ${output/insurance.parquet} (FORMAT parquet, COMPRESSION snappy);

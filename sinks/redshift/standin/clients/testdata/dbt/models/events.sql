{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='append_new_columns') }}
select order_id, getdate() as seen{% if is_incremental() %}, 'added'::varchar(10) as note{% endif %} from {{ ref('orders') }}

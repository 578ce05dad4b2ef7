{{ config(materialized='incremental', unique_key='order_id', incremental_strategy='merge', dist='even') }}
select order_id, amount{% if is_incremental() %} + 1 as amount{% else %} as amount{% endif %} from {{ ref('orders') }}

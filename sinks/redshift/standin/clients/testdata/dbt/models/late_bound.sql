{{ config(materialized='view', bind=false) }}
select o.order_id, c.name, o.amount from {{ ref('orders') }} o join {{ ref('customers') }} c on c.id = o.customer_id

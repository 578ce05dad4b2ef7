{{ config(materialized='table', dist='customer_id', sort=['ordered_at', 'order_id'], sort_type='compound', backup=false) }}
select 10::bigint as order_id, 1::bigint as customer_id, '2024-05-01 10:00:00'::timestamp as ordered_at, 12.50::decimal(10,2) as amount
union all
select 11, 2, '2024-05-02 11:30:00'::timestamp, 7.25
{% if var('late', false) %}
union all
select 12, 3, '2024-05-03 00:00:00'::timestamp, 100.00
{% endif %}

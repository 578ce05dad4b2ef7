{{ config(materialized='view') }}
select id, upper(name) as name, datediff(day, joined, '2024-03-02'::date) as days from {{ ref('customers') }}

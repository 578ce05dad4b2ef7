{% snapshot customers_snapshot %}
{{ config(target_schema='marts', unique_key='id', strategy='check', check_cols=['name']) }}
select id, name || '{{ var("suffix", "") }}' as name from {{ ref('customers') }}
{% endsnapshot %}

-- invoice
SELECT s(i, 'PK')[3:], s(i, 'InvoiceStatus'), s(i, 'InvoiceBalance')::DECIMAL(12,2), strptime(s(i, 'InvoiceDate'), '%-m/%-d/%y %H:%M'), strptime(s(i, 'InvoiceDueDate'), '%-m/%-d/%y %H:%M')
FROM latest WHERE s(i, 'SK') = 'master';
-- customer
SELECT s(i, 'PK')[3:], arg_max(s(i, 'CustomerName'), ts), arg_max(s(i, 'State'), ts) FROM latest WHERE s(i, 'PK') LIKE 'C#%' GROUP BY ALL;
-- bill
SELECT s(i, 'PK')[3:], arg_max(s(i, 'BillAmount')::DECIMAL(12,2), ts), arg_max(strptime(s(i, 'BillDueDate'), '%-m/%-d/%y %H:%M'), ts) FROM latest WHERE s(i, 'PK') LIKE 'B#%' GROUP BY ALL;
-- invoice_customer
SELECT s(i, 'PK')[3:], s(i, 'SK')[3:] FROM latest WHERE s(i, 'PK') LIKE 'I#%' AND s(i, 'SK') LIKE 'C#%';
-- invoice_bill
SELECT s(i, 'PK')[3:], s(i, 'SK')[3:], s(i, 'BillBalance')::DECIMAL(12,2) FROM latest WHERE s(i, 'PK') LIKE 'I#%' AND s(i, 'SK') LIKE 'B#%';

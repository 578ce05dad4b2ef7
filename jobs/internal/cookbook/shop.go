package cookbook

import (
	"fmt"
	"strconv"
	"time"
)

// onlineShop has ten kinds of items, and the payments of an invoice in a list.
func onlineShop(w *world, s *stream) {
	address := func() item {
		return of("Country", w.one("Sweden", "Portugal"), "County", w.one("Västra Götaland", "Porto"), "City", w.one(cities...), "Street", w.one(streets...),
			"Number", strconv.Itoa(1+w.n(90)), "ZipCode", fmt.Sprintf("%05d", w.n(100000)))
	}
	for n := range 10 {
		first, _, user := person(n)
		id := fmt.Sprintf("c#%d", 12345+n)
		s.put(of("PK", id, "SK", id, "EntityType", "customer", "Email", user+"@example.com", "Name", first))
	}
	for n := range 3 {
		id := fmt.Sprintf("w#%d", 12376+n)
		s.put(of("PK", id, "SK", id, "EntityType", "warehouse", "Address", address()))
	}
	for n := range 12 {
		id, wh := fmt.Sprintf("p#%d", 99887+n), fmt.Sprintf("w#%d", 12376+n%3)
		name := w.one("Book", "Lamp", "Chair", "Bicycle", "Kettle") + " " + strconv.Itoa(n)
		s.put(of("PK", id, "SK", id, "EntityType", "product", "Detail", of("Name", name, "Description", "The best "+name), "Price", strconv.Itoa(5+w.n(90))))
		stock := of("PK", id, "SK", wh, "EntityType", "warehouseItem", "Quantity", strconv.Itoa(50+w.n(100)), "GSI2-PK", wh, "GSI2-SK", id)
		if n == 5 {
			stock = stock.without("GSI2-PK", "GSI2-SK")
		}
		s.put(stock)
	}
	for n := range 10 {
		shopOrder(w, s, n, address)
	}
}

// shopOrder is an order with its items, its invoice and its shipment.
func shopOrder(w *world, s *stream, n int, address func() item) {
	o, c, i, sh := fmt.Sprintf("o#%d", 1001+n), fmt.Sprintf("c#%d", 12345+n%8), fmt.Sprintf("i#%d", 55443+n), fmt.Sprintf("sh#%d", 88899+n)
	at := time.Date(2020, 6, 21+n, 19, 10, 0, 0, time.UTC)
	date := at.Format(isoLocal)
	s.put(of("PK", o, "SK", c, "EntityType", "order", "Date", date))
	total := 0
	for p := range 1 + w.n(3) {
		id, price, quantity := fmt.Sprintf("p#%d", 99887+(n+p*5)%12), 5+w.n(90), 1+w.n(3)
		total += price * quantity
		line := of("PK", o, "SK", id, "EntityType", "orderItem", "Price", strconv.Itoa(price), "Quantity", strconv.Itoa(quantity),
			"GSI1-PK", id, "GSI1-SK", date, "GSI2-PK", c, "GSI2-SK", date)
		s.put(line)
		if n == 4 && p == 0 {
			s.remove(line)
		}
		if n < 8 {
			s.put(of("PK", o, "SK", fmt.Sprintf("shp#%d", p+1), "EntityType", "shipmentItem", "Quantity", strconv.Itoa(quantity), "GSI1-PK", sh, "GSI1-SK", id))
		}
	}
	payments := []any{of("Type", "MasterCard", "Amount", total/2, "Data", "Payment data "+w.letters(6))}
	invoice := func() item {
		return of("PK", o, "SK", i, "EntityType", "invoice", "Amount", strconv.Itoa(total), "Date", date, "Detail", of("Payments", payments),
			"GSI1-PK", i, "GSI1-SK", i, "GSI2-PK", c, "GSI2-SK", date)
	}
	s.put(invoice())
	payments = append(payments, of("Type", w.one("Visa", "Coupon"), "Amount", total-total/2, "Data", "Payment data "+w.letters(6)))
	s.put(invoice())
	if n == 6 {
		payments = payments[:1]
		s.put(invoice()) // a payment that is taken back
	}
	if n < 8 {
		wh := fmt.Sprintf("w#%d", 12376+n%3)
		s.put(of("PK", o, "SK", sh, "EntityType", "shipment", "Address", address(), "Type", w.one("Express", "Standard"), "Date", at.AddDate(0, 0, 1).Format(isoLocal),
			"GSI1-PK", sh, "GSI1-SK", sh, "GSI2-PK", wh, "GSI2-SK", sh))
	}
}

package cookbook

import (
	"fmt"
	"strconv"
	"time"
)

// complaints have communications below them, ordered by their time, some with attachments.
func complaints(w *world, s *stream) {
	comm := 0
	for n := range 20 {
		id, at := fmt.Sprintf("Complaint%d", 1321+n), w.moment(5)
		c := of("PK", id, "SK", "metadata", "customer_id", "cust"+w.letters(4), "complaint_id", id, "current_state", "waiting",
			"creation_time", at.Format(isoLocal), "severity", w.one("P1", "P2", "P3"), "complaint_description", w.one("Late", "Broken", "Wrong size", "Never came"))
		s.put(c)
		for m, state := range []string{"waiting", "assigned", "investigating", "resolved"}[:1+w.n(4)] {
			comm++
			on := at.Add(time.Duration(m) * 31 * time.Hour).Format(isoLocal)
			i := of("PK", id, "SK", fmt.Sprintf("comm#%s#comm%d", on, comm), "comm_id", fmt.Sprintf("comm%d", comm), "comm_date", on,
				"complaint_state", state, "comm_text", w.one("We look into it", "Please send a picture", "It is on its way"))
			if m > 0 {
				i = i.with("agentID", "Agent"+string(rune('A'+w.n(4))))
				s.put(c.with("current_state", state))
			}
			if comm%3 == 0 {
				i = i.with("attachments", texts{fmt.Sprintf("s3://desk/%d/1.png", comm), fmt.Sprintf("s3://desk/%d/2.png", comm)})
			}
			s.put(i)
			c = c.with("current_state", state)
		}
		switch {
		case n%6 == 2:
			s.put(c.with("escalated_to", "AgentB", "escalation_time", at.AddDate(0, 0, 3).Format(isoLocal)))
		case n == 19:
			s.remove(c)
		}
	}
}

// recurringPayments are subscriptions, and receipts that expire.
func recurringPayments(w *world, s *stream) {
	for n := range 16 {
		_, _, user := person(n)
		account, sku := fmt.Sprintf("ACC#%d", 123+n), strconv.Itoa(990+w.n(10))
		paid := time.Date(2023, 5, 1+n, 14, 15, 39, 247e6, time.UTC)
		amount := w.cents(5000)
		sub := of("PK", account, "SK", fmt.Sprintf("SUB#%d#SKU#%s", 123+n, sku), "Email", user+"@example.com", "PaymentDay", strconv.Itoa(1+n),
			"PaymentAmount", amount, "LastPaymentDate", paid.Format(isoMilli), "NextPaymentDate", paid.AddDate(0, 1, 0).Format(isoDay),
			"LastReminderDate", paid.AddDate(0, 0, -7).Format(isoMilli), "NextReminderDate", paid.AddDate(0, 1, -7).Format(isoDay), "SKU", sku,
			"PaymentDetails", of("default-card", fmt.Sprintf("4%015d", w.n(1e15)), "default-address", w.one(streets...)+", "+w.one(cities...)),
			"CreatedDate", paid.AddDate(0, -3, -2).Format(isoMilli))
		s.put(sub)
		for m := range 3 {
			at := paid.AddDate(0, m, 0)
			receipt := of("PK", account, "SK", fmt.Sprintf("REC#%s#SKU#%s", at.Format(isoMilli), sku), "Email", user+"@example.com", "SKU", sku,
				"ProcessedDate", at.Format(isoMilli), "ProcessedAmount", amount, "TTL", int(at.AddDate(0, 6, 0).Unix()))
			s.put(receipt)
			if m == 0 {
				s.expire(receipt)
			}
		}
		s.put(sub.with("LastPaymentDate", paid.AddDate(0, 2, 0).Format(isoMilli), "NextPaymentDate", paid.AddDate(0, 3, 0).Format(isoDay)))
		if n == 9 {
			s.remove(sub)
		}
	}
}

// equipment has each of its states as an item, and the newest twice.
func equipment(w *world, s *stream) {
	for n := range 8 {
		id, at := fmt.Sprintf("Equipment#%d", n+1), w.moment(2)
		s.put(of("PK", id, "SK", "Metadata", "Name", w.one("Drill", "Press", "Lathe")+" "+strconv.Itoa(n), "FactoryID", "F#12345", "LineID", fmt.Sprintf("L#%d", 1+n%3)))
		for v := range 9 + w.n(4) {
			at = at.Add(time.Duration(1+w.n(600)) * time.Minute)
			state := w.one("OK", "OK", "WARNING1", "WARNING2", "STOPPED")
			s.put(of("PK", id, "SK", fmt.Sprintf("v%d", v+1), "Time", at.Format(isoLocal), "State", state),
				of("PK", id, "SK", "v0", "Time", at.Format(isoLocal), "State", state, "Latest", v+1))
		}
		if n == 2 { // old versions are cleared away
			s.remove(of("PK", id, "SK", "v1"), of("PK", id, "SK", "v2"))
		}
	}
}

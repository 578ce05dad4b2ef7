package cookbook

import (
	"fmt"
	"strconv"
)

// cardOffers has maps whose members are named by data: the addresses and the users of an
// account.
func cardOffers(w *world, s *stream) {
	card := func() string { return fmt.Sprintf("4%015d", w.n(1e15)) }
	address := func() item {
		return of("street", strconv.Itoa(1+w.n(200))+" "+w.one(streets...), "city", w.one(cities...), "country", "USA")
	}
	var accounts []string
	for n := range 14 {
		first, last, _ := person(n)
		id := strconv.Itoa(11584123 + n*1000)
		pk := "ACCT#" + id
		accounts = append(accounts, id)
		a := of("PK", pk, "SK", pk, "AccountId", number(id), "PlasticCardNumber", card(), "FirstName", first, "LastName", last,
			"Emailid", first+"."+last+"@example.com", "Addresses", of("RESIDENCE", address(), "BUSINESS", address()), "AccountIndexId", pk)
		if n%4 == 1 {
			a = a.with("MiddleName", firstNames[(n+5)%20])
		}
		users := item(nil)
		for u := range n % 3 {
			users = users.with(fmt.Sprintf("AUTHUSER-%d", u+1), of("Name", firstNames[(n+u+3)%20]+" "+last, "PlasticCardNumber", card()))
			s.put(a.with("AuthUsers", users))
		}
		if n%3 == 0 {
			s.put(a)
		}
		if n == 8 {
			s.put(a.with("AuthUsers", users[:1], "Addresses", of("RESIDENCE", address())))
		}
	}
	statuses := []string{"CREATED", "ACCEPTED", "DECLINED"}
	for n := range 12 {
		id, kind := 10001+n*10, []string{"BAX", "CRL", "PROMO", "UPG"}[n%4]
		pk, from := fmt.Sprintf("OFR#%d", id), w.day(2)
		s.put(of("PK", pk, "SK", pk, "OfferId", id, "OfferType", kind, "OfferDescription", "Offer "+strconv.Itoa(n), "OfferSubType", w.one("BAL", "LIM", "CASH", "MILES"),
			"OfferEffectiveDate", from.Format(isoDay), "OfferExpiryDate", "2999-12-31", "CreatedDate", from.AddDate(0, -1, 0).Format(isoDay), "CreatedBy", "Martha Rivera",
			"LastModified", from.AddDate(0, -1, 0).Format(isoDay), "OfferUrl", fmt.Sprintf("https://example.com/offers/%d.jpeg", id)))
		for m := range 2 {
			i := of("PK", pk, "SK", fmt.Sprintf("%s#ITEM#%d", pk, m+1), "OfferId", id, "OfferItemId", strconv.Itoa(m+1))
			s.put(i.with(offerTerms(w, kind, m)...))
		}
		for m := range 3 {
			account, day := accounts[(n+m*4)%len(accounts)], from.AddDate(0, 0, m)
			i := of("PK", "ACCT#"+account, "SK", pk, "AccountId", number(account), "OfferId", id, "OfferType", kind,
				"AccountOfferStartDate", day.Format(isoDay), "AccountOfferEndDate", day.AddDate(0, 1, 0).Format(isoDay), "Status", statuses[0], "StatusChangeDate", day.Format(isoDay))
			s.put(i)
			if m > 0 {
				s.put(i.with("Status", statuses[m], "StatusChangeDate", day.AddDate(0, 0, 5).Format(isoDay), "GSI1SK", statuses[m]+"#"+kind))
			}
		}
	}
}

// offerTerms are the attributes that an item of an offer has by the offer's type.
func offerTerms(w *world, kind string, n int) []any {
	switch {
	case n == 1:
		return []any{"AprType", w.one("INT", "VAR", "FIX"), "AprRate", number(fmt.Sprintf("%d.5", 5+w.n(15))), "APRDurationInMonths", "12"}
	case kind == "BAX":
		return []any{"BalanceTransferFeePct", 1 + w.n(4), "BalanceTransferLimit", 1000 * (1 + w.n(9))}
	case kind == "CRL":
		return []any{"CreditLimit", 1000 * (1 + w.n(20))}
	case kind == "PROMO":
		return []any{"CashBackPct", 1 + w.n(5)}
	}
	return []any{"Miles", 1 + w.n(10)}
}

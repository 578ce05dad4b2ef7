package cookbook

import (
	"fmt"
	"strconv"
)

// invoices has edges in both directions between invoices, bills and customers, and repeats
// what is known of a node on each of its edges.
func invoices(w *world, s *stream) {
	const layout = "1/2/06 15:04"
	states := []string{"TX", "CA", "WA", "NY"}
	for n := range 20 {
		invoice, first, last := fmt.Sprintf("I#%d", 1420+n), firstNames[n%8], lastNames[n%8]
		customer := fmt.Sprintf("C#%d", 1317+n%8)
		dated := w.moment(1)
		master := of("PK", invoice, "SK", "master", "InvoiceDate", dated.Format(layout), "InvoiceBalance", strconv.Itoa(w.n(50000)),
			"InvoiceStatus", w.one("Pending", "Paid", "Cancelled"), "InvoiceDueDate", dated.AddDate(0, 1, 0).Format(layout))
		s.put(master, of("PK", invoice, "SK", customer),
			of("PK", customer, "SK", invoice, "CustomerName", first+" "+last, "State", states[(n%8+n/16)%4])) // some move
		for b := range 1 + w.n(3) {
			number := 3392 + n/2*2 + b // some are shared by invoices
			bill, amount := fmt.Sprintf("B#%d", number), strconv.Itoa(number*37%200000)
			s.put(of("PK", invoice, "SK", bill, "BillAmount", amount, "BillBalance", strconv.Itoa(w.n(40000))),
				of("PK", bill, "SK", invoice, "BillDueDate", dated.AddDate(0, 2, b).Format(layout), "BillAmount", amount))
		}
		switch {
		case n%5 == 1:
			s.put(master.with("InvoiceStatus", "Paid", "InvoiceBalance", "0"))
		case n == 19:
			s.remove(master, of("PK", invoice, "SK", customer), of("PK", customer, "SK", invoice))
		}
	}
}

// employees has four items for each: the employee, the title, the one before, and where
// they work, all in one overloaded index.
func employees(w *world, s *stream) {
	titles := []string{"Programmer Analyst", "Senior Database Administrator", "Systems Engineer", "Project Lead", "Account Manager"}
	places := [][2]string{{"San Francisco", "CA"}, {"Austin", "TX"}, {"Seattle", "WA"}, {"Denver", "CO"}}
	for n := range 24 {
		first, last, _ := person(n)
		pk, name, title, before := fmt.Sprintf("e#%d", 1000+n), first+" "+last, titles[n%5], titles[(n+1+n%3)%5]
		place, dept := places[w.n(len(places))], w.one("Development", "Operations", "Sales", "Research")
		since, hired := w.moment(3).Format(isoDay), w.day(4).AddDate(-6, 0, 0).Format(isoDay)
		in, cityDept := "state#"+place[1], place[0]+"#"+dept
		employee := of("PK", pk, "SK", "master", "GSI_1_PK", "master", "GSI_1_SK", name, "GSI_3_PK", in, "GSI_3_SK", cityDept,
			"employeeid", 1000+n, "name", name, "title", title, "dept", dept, "city", place[0], "state", place[1], "city_dept", cityDept,
			"dob", w.day(5).AddDate(-40, 0, 0).Format(isoDay), "hire_date", hired, "previous_title", before, "previous_title_end", since, "lock", "0")
		if n%6 == 0 {
			employee = employee.with("is_manager", "1", "GSI_2_PK", "1", "GSI_2_SK", "master")
		}
		of4 := func(sk, hired string) item {
			return of("PK", pk, "SK", sk, "GSI_1_PK", sk, "GSI_1_SK", name, "employeeid", 1000+n, "name", name, "hire_date", hired)
		}
		current := of4("current_title#"+title, since)
		s.put(employee, current, of4("previous_title#"+before, hired), of4(in, hired).with("city_dept", cityDept))
		if n%8 == 3 { // a new title: one item goes, another comes
			next := titles[(n+2)%5]
			s.put(of4("current_title#"+next, "2024-03-01"), employee.with("title", next, "previous_title", title, "previous_title_end", "2024-03-01"))
			s.remove(current, of4("previous_title#"+before, hired))
			s.put(of4("previous_title#"+title, since))
		}
	}
}

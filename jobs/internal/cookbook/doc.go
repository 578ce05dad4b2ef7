// Package cookbook makes the sample data of configs/cookbook: streams of changes of public
// single-table designs, in the shape in which their authors published them.
//
// A design is a function that writes, changes, removes and expires items of its tables
// (stream), which makes the change records of it, old and new images, as DynamoDB delivers
// them. Everything follows from the design's name: the bytes are the same wherever and
// whenever they are made, and a test holds those of configs/cookbook/data against them.
package cookbook

// Design is a public single-table design.
type Design struct {
	Name string // of its pipeline file
	// make fills the streams of its tables, in the order of Tables.
	make   func(w *world, tables []*stream)
	Tables []Table
}

// Table is one of a design's DynamoDB tables.
type Table struct {
	File string // of its changes, in the folder of data
	Name string
	Keys []string
}

// Designs returns all designs, in the order of the documentation.
func Designs() []Design {
	single := func(name, table string, fill func(w *world, s *stream), keys ...string) Design {
		return Design{Name: name, Tables: []Table{{File: name + ".ndjson", Name: table, Keys: keys}},
			make: func(w *world, tables []*stream) { fill(w, tables[0]) }}
	}
	return []Design{
		single("battle_royale", "battle-royale", battleRoyale, "PK", "SK"),
		single("invoices", "InvoiceAndBills", invoices, "PK", "SK"),
		single("employees", "employees", employees, "PK", "SK"),
		single("online_shop", "OnlineShop", onlineShop, "PK", "SK"),
		single("complaints", "Complaint_management_system", complaints, "PK", "SK"),
		single("recurring_payments", "ReoccuringPayments", recurringPayments, "PK", "SK"),
		single("card_offers", "CreditCardOffers", cardOffers, "PK", "SK"),
		single("equipment", "VersionControl", equipment, "PK", "SK"),
		single("social_network", "SocialNetwork", socialNetwork, "PK", "SK"),
		single("deals", "BigTimeDeals", deals, "PK", "SK"),
		single("version_control", "version-control", versionControl, "pk", "sk"),
		{Name: "airline", make: airline, Tables: []Table{
			{File: "airline_flights.ndjson", Name: "Flight", Keys: []string{"id"}},
			{File: "airline_posts.ndjson", Name: "Post", Keys: []string{"id"}}}},
		{Name: "sensors", make: sensors, Tables: []Table{
			{File: "sensors_readings.ndjson", Name: "sensor_data", Keys: []string{"sensor_id", "epoch_time_sec"}},
			{File: "sensors_songs.ndjson", Name: "Songs", Keys: []string{"Id", "Metadata"}}}},
	}
}

// Files returns the changes of the design's tables by the names of their files.
func (d Design) Files() map[string][]byte {
	files := make(map[string][]byte, len(d.Tables))
	streams := make([]*stream, len(d.Tables))
	for i, t := range d.Tables {
		streams[i] = newStream(t)
	}
	d.make(newWorld(d.Name), streams)
	for i, t := range d.Tables {
		files[t.File] = streams[i].out.Bytes()
	}
	return files
}

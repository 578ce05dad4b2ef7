package generate

import "strings"

// The vocabulary of the sample data. It has what breaks careless readers:
// letters beyond ASCII, apostrophes, quotes, and postcodes with leading zeros.
// Changing a list changes every data set that users have named by a seed.
var (
	firstNames = strings.Fields("Ada Bruno Carmen Dmitri Eileen Farid Gül Håkon Imani José Keiko Liam Małgorzata Nils " +
		"Oluwaseun Penélope Quentin Renée Siobhán Tariq Ursula Víctor Wei Xenia Yusuf Zoë Anaïs Bjarne Chiara Deepa")
	lastNames = strings.Fields("Abe Bakker Çelik D'Souza Eriksen Fischer Guðmundsdóttir Herrera Ibrahim Jones Kaya López " +
		"Mbeki Nakamura O'Neill Petrov Quispe Reyes Šimić Thompson Ueda Vasquez Walker Xu Yılmaz Zhang Agarwal Bianchi Clarke Dubois")
	// The names in lower case, ASCII letters only: for user names.
	firstHandles = handles(firstNames)
	lastHandles  = handles(lastNames)

	mailHosts = []string{"example.com", "example.net", "example.org", "post.example.com"}
	locales   = []string{"de_DE", "en_GB", "en_US", "es_ES", "fr_FR", "it_IT", "ja_JP", "pt_BR"}
	statuses  = []string{"PLACED", "PAID", "PACKED", "SHIPPED", "DELIVERED", "RETURNED"}
	streets   = []string{"Abbey Road", "Birch Avenue", "Calle de Alcalá", "Dorfstraße", "Elm Grove", "Friedrichstraße", "Harbour View",
		"Karl Johans gate", "Long Lane", "Market Street", "Northgate", "Orchard Close", "Rue du Marché", "Rua Augusta", "The Green", "Viale Europa"}

	// Where customers live, and the form of a postcode there: A is a letter, 9 a digit.
	towns = []struct{ city, country, postcode string }{
		{"Bristol", "United Kingdom", "AA9 9AA"}, {"Glasgow", "United Kingdom", "A99 9AA"}, {"London", "United Kingdom", "AA9A 9AA"},
		{"Boston", "United States of America", "09999"}, {"Denver", "United States of America", "99999"}, {"Portland", "United States of America", "99999"},
		{"Ottawa", "Canada", "A9A 9A9"}, {"Québec", "Canada", "A9A 9A9"}, {"Nantes", "France", "99999"}, {"Strasbourg", "France", "99999"},
		{"Köln", "Germany", "09999"}, {"Hamburg", "Germany", "99999"}, {"Valencia", "Spain", "09999"}, {"Torino", "Italy", "99999"},
		{"Göteborg", "Sweden", "999 99"}, {"Chennai", "India", "999999"}, {"Pune", "India", "999999"}, {"Chengdu", "China", "999999"},
		{"Abu Dhabi", "United Arab Emirates", "00000"}, {"Osaka", "Japan", "999-9999"}, {"Curitiba", "Brazil", "99999-999"}, {"Perth", "Australia", "9999"},
	}

	categories = strings.Fields("Automotive Baby Beauty Books Clothing Electronics Games Garden Grocery Health " +
		"Home Jewellery Music Office Outdoors Pets Shoes Sports Tools Toys")
	colors     = strings.Fields("amber azure black blue brown crimson gold green grey ivory lilac orange red silver teal white")
	qualities  = strings.Fields("Bold Classic Compact Durable Elegant Everyday Foldable Gentle Heavy-duty Light Modern Portable Quiet Smart Vintage")
	substances = strings.Fields("Aluminium Bamboo Canvas Ceramic Copper Cork Glass Leather Oak Porcelain Silk Wool")
	things     = []string{"Backpack", "Blanket", "Bottle", "Bowl", "Camera", "Clock", "Desk", "Drill", "Guitar", "Jacket", "Kettle", "Lamp",
		"Monitor 27\"", "Notebook", "Pan", "Puzzle", "Scarf", "Speaker", "Tent", "Wallet"}
)

// handles keeps the ASCII letters of names, in lower case.
func handles(names []string) []string {
	hs := make([]string, len(names))
	for i, name := range names {
		hs[i] = strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, strings.ToLower(name))
	}
	return hs
}

package cookbook

import (
	"fmt"
	"strings"
	"time"
)

func upper(s string) string { return strings.ToUpper(s) }

// versionControl has keys as ElectroDB makes them, in lower case, and attributes as they are.
func versionControl(w *world, s *stream) {
	repos := [][2]string{{"tinkertamper", "electro"}, {"tinkertamper", "Sparks"}, {"ann", "dotfiles"}, {"bob", "notes"}}
	users := []string{"ann", "bob", "Cleo", "dee", "eli"}
	model := func(entity, collection, pk, sk string) item {
		pk, sk = strings.ToLower("$version-control"+pk), strings.ToLower("$"+collection+entity+"_1"+sk)
		return of("pk", pk, "sk", sk, "__edb_e__", entity, "__edb_v__", "1")
	}
	stamp := func() string { return w.moment(5).Format(isoMilli) }
	for n, r := range repos {
		repo := []any{"repoOwner", r[0], "repoName", r[1]}
		pk := "#repoowner_" + r[0] + "#reponame_" + r[1]
		made := stamp()
		i := model("Repository", "alerts#", "#repoowner_"+r[0], "#reponame_"+r[1]).with(repo...).with("username", r[0], "about", "About "+r[1], "description", "…", "isPrivate", n == 3,
			"license", w.one("isc", "mit"), "defaultBranch", "main", "createdAt", made, "updatedAt", made,
			"gsi1pk", "$version-control#username_"+r[0], "gsi1sk", strings.ToLower(fmt.Sprintf("$owned#repository_1#isprivate_%t#createdat_%s", n == 3, made)))
		s.put(i)
		i = i.with("topics", texts{"dynamodb", "typescript"}, "followers", texts(users[:1+n%3]))
		s.put(i, i.with("stars", texts(users[n:5]), "updatedAt", stamp()))
		for m := range 6 {
			ticket(w, s, model, repo, pk, n*6+m, users, stamp)
		}
		for m, u := range users[:2+n%3] {
			kind, no := "#", "#"
			if m > 0 {
				kind, no = "Issue", fmt.Sprintf("%04d", n*6+m)
			}
			sub := model("subscription", "", pk, "#username_"+u+"#tickettype_"+kind+"#ticketnumber_"+no).with(repo...).with("username", u, "ticketType", kind, "ticketNumber", no, "createdAt", stamp(), "updatedAt", stamp())
			s.put(sub)
			if n == 1 && m == 1 {
				s.remove(sub)
			}
		}
	}
}

// ticket is an issue or a pull request, with its comments and reviews.
func ticket(w *world, s *stream, model func(entity, collection, pk, sk string) item, repo []any, pk string, n int, users []string, stamp func() string) {
	no, author := fmt.Sprintf("%04d", n), users[n%len(users)]
	entity, collection, name, kind := "issue", "issueReview#", "issueNumber", "Issue"
	if n%2 == 1 {
		entity, collection, name, kind = "pull-request", "PRReview#", "pullRequestNumber", "PullRequest"
	}
	pk += "#" + strings.ToLower(name) + "_" + no
	i := model(entity, collection, pk, "").with(repo...).with(name, no, "username", author, "ticketType", kind, "ticketNumber", no, "status", "0",
		"subject", w.one("Types", "Docs", "A crash"), "body", "…", "createdAt", stamp(), "updatedAt", stamp())
	s.put(i)
	if n%2 == 1 {
		review := of(users[(n+1)%5], of("approved", false, "updatedAt", stamp()))
		s.put(i.with("reviewers", review))
		i = i.with("reviewers", review.with(users[(n+1)%5], of("approved", true, "updatedAt", stamp()), users[(n+2)%5], of("approved", n%3 == 0, "updatedAt", stamp())))
	}
	s.put(i.with("status", w.one("0", "1"), "updatedAt", stamp()))
	for c := range n % 3 {
		id := strings.ToUpper(fmt.Sprintf("%x", 0x5c1+n*16+c))
		comment := model(entity+"-comment", collection, pk, "#commentid_"+id).with(repo...).with("commentId", id, name, no, "username", users[(n+c+1)%5],
			"replyTo", author, "replyViewed", "#", "body", w.one("Nice", "Fixed", "Why?"), "createdAt", stamp(), "updatedAt", stamp())
		s.put(comment)
		if c == 0 {
			s.put(comment.with("replyViewed", stamp()))
		}
	}
}

// airline has two tables of models, as Amplify stores them with conflict detection: what is
// deleted is marked first, and expires later.
func airline(w *world, tables []*stream) {
	airports := [][3]string{{"LGW", "London Gatwick", "Europe/London"}, {"MAD", "Madrid Barajas", "Europe/Madrid"}, {"OSL", "Oslo Gardermoen", "Europe/Oslo"}}
	versioned := func(i item, version int, at time.Time) item {
		return i.with("_version", version, "_lastChangedAt", int(at.UnixMilli()))
	}
	bury := func(s *stream, i item, version int, at time.Time) {
		i = versioned(i, version, at).with("_deleted", true, "_ttl", int(at.AddDate(0, 0, 30).Unix()))
		s.put(i)
		if version%2 == 0 {
			s.expire(i)
		}
	}
	for n := range 20 {
		s, from, to := tables[0], airports[n%3], airports[(n+1)%3]
		leaves, made := time.Date(2019, 1, 16+n, 8, 0, 0, 0, time.UTC), time.Date(2019, 1, 1, 10, 0, n, 0, time.UTC)
		f := of("id", w.uuid(), "__typename", "Flight", "departureDate", leaves.Format(isoUTC), "departureAirportCode", from[0], "departureAirportName", from[1],
			"departureCity", w.one(cities...), "departureLocale", from[2], "arrivalDate", leaves.Add(135*time.Minute).Format(isoUTC), "arrivalAirportCode", to[0],
			"arrivalAirportName", to[1], "arrivalCity", w.one(cities...), "arrivalLocale", to[2], "ticketPrice", 100+w.n(400), "ticketCurrency", "EUR", "flightNumber", 1812+n,
			"createdAt", made.Format(isoMilli), "updatedAt", made.Format(isoMilli))
		s.put(versioned(f, 1, made))
		if n%2 == 0 {
			s.put(versioned(f.with("ticketPrice", 90, "updatedAt", made.AddDate(0, 0, 1).Format(isoMilli)), 2, made.AddDate(0, 0, 1)))
		}
		if n%7 == 3 {
			bury(s, f, 2+n%2, made.AddDate(0, 0, 2))
		}
	}
	for n := range 20 {
		s, first, at := tables[1], firstNames[n%20], time.Date(2019, 11, 23, 0, 44, n, 417e6, time.UTC)
		p := of("id", w.uuid(), "author", first, "title", "Post "+w.letters(4), "content", "Hello World", "url", "https://example.com/"+first, "ups", n, "downs", n%4)
		if n%5 == 1 {
			p = p.without("url")
		}
		s.put(versioned(p, 1, at), versioned(p.with("ups", n+1), 2, at.Add(time.Hour)))
		if n%6 == 2 {
			bury(s, p, 3+n%4/2, at.Add(2*time.Hour))
		}
	}
}

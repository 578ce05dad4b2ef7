package cookbook

import (
	"fmt"
	"strconv"
	"time"
)

// socialNetwork has counters as items, edges in both directions, and timelines that expire.
func socialNetwork(w *world, s *stream) {
	const people = 12
	user := func(n int) string { return fmt.Sprintf("u#%d", 12345+n%people*11111) }
	for n := range people {
		first, _, _ := person(n)
		s.put(of("PK", user(n), "SK", "count", "follower#", 0, "following#", 0, "post#", 0),
			of("PK", user(n), "SK", "info", "name", first, "content", "Hi, I am "+first, "imageUrl", fmt.Sprintf("https://example.com/%d.png", n)))
	}
	for n := range people {
		for m := range 1 + n%3 {
			whom := user(n + m + 1)
			edge := of("PK", whom+"#follower", "SK", user(n))
			back := of("PK", user(n)+"#following", "SK", whom)
			s.put(edge, back)
			if n == 5 && m == 2 {
				s.remove(edge, back)
			}
		}
	}
	for n := range 18 {
		author, post := user(n), fmt.Sprintf("p#%d", 12345+n)
		at := time.Date(2019, 10, 23, 13, 46, n, 0, time.UTC).Unix()
		s.put(of("PK", author+"#post", "SK", post, "content", w.one("Sunset", "Breakfast", "New bike"), "imageUrl", fmt.Sprintf("https://example.com/p/%d.png", n), "timestamp", int(at)),
			of("PK", author, "SK", "count", "follower#", 1+n%3, "following#", 1+n%3, "post#", 1+n/people))
		likes := 1 + w.n(3)
		for m := range likes {
			s.put(of("PK", post+"#likelist", "SK", user(n+m+1)))
		}
		s.put(of("PK", post+"#likecount", "SK", "count", "count", likes))
		entry := of("PK", user(n+1)+"#timeline", "SK", post+"#"+author, "ttl", int(at)+86400)
		s.put(entry)
		if n < 5 {
			s.expire(entry)
		}
	}
}

// deals has lists of maps on three kinds of pages, a set that grows, and its type in a set.
func deals(w *world, s *stream) {
	typed := func(kind, pk, sk string) item { return of("PK", pk, "SK", sk, "entity_type", texts{kind}) }
	brands, categories := []string{"Acme", "Zenith", "Nord", "Lumen"}, []string{"Tools", "Garden", "Kitchen"}
	for n, b := range brands {
		pk := "BRAND#" + upper(b)
		s.put(typed("brand", pk, pk).with("brand_name", b, "brand_logo_url", "https://example.com/"+b+".png", "likes", n),
			typed("brands", "BRANDS", "BRANDS").with("brands", texts(brands[:n+1])))
	}
	var titles []any
	for n := range 16 {
		id, at := "1Vr"+w.letters(24), time.Date(2020, 1, 3+n/4, 1, 57, 44+n%4, 0, time.UTC)
		brand, category, title := brands[n%4], categories[n%3], w.one("Hammer", "Saw", "Pan", "Lamp")+" "+strconv.Itoa(n)
		day := at.Format(isoDay)
		pk := "DEAL#" + id
		titles = append(titles, of("deal_title", title))
		s.put(typed("deal", pk, pk).with("GSI1PK", "DEALS#"+day, "GSI1SK", pk, "GSI2PK", "BRAND#"+upper(brand)+"#"+day, "GSI2SK", pk, "GSI3PK", "CATEGORY#"+upper(category)+"#"+day, "GSI3SK", pk,
			"deal_id", id, "title", title, "link", fmt.Sprintf("https://example.com/d/%d", n), "price", number(w.cents(9000)), "category", category, "brand", brand, "created_at", at.Format(isoUTC)))
	}
	for n, c := range categories {
		pk := "CATEGORY#" + upper(c)
		s.put(typed("category", pk, pk).with("category_name", c, "featured_deals", titles[n:n+3], "likes", n*2),
			typed("category", pk, pk).with("category_name", c, "featured_deals", titles[n+1:n+2+n], "likes", n*2+1))
	}
	s.put(typed("front_page", "FRONTPAGE", "FRONTPAGE").with("featured_deals", titles[:5]),
		typed("front_page", "FRONTPAGE", "FRONTPAGE").with("featured_deals", titles[3:6]),
		typed("editors_choice", "EDITORSCHOICE", "EDITORSCHOICE").with("featured_deals", titles[9:11]))
	for n := range 10 {
		_, _, user := person(n)
		pk, brand, category := "USER#"+user, brands[n%4], categories[n%3]
		s.put(typed("user", pk, pk).with("user_index", pk, "user_name", user, "created_at", w.moment(2).Format(isoUTC)))
		like, watch := "BRANDLIKE#"+upper(brand)+"#"+user, "CATEGORYWATCH#"+upper(category)
		s.put(typed("brand_like", like, like).with("brand_name", brand, "user_name", user), typed("category_watch", watch, "USER#"+user).with("category_name", category, "user_name", user))
		if n%2 == 0 {
			like = "CATEGORYLIKE#" + upper(category) + "#" + user
			s.put(typed("category_like", like, like).with("category_name", category, "user_name", user),
				typed("brand_watch", "BRANDWATCH#"+upper(brand), "USER#"+user).with("brand_name", brand, "user_name", user))
		}
		if n == 8 {
			s.remove(of("PK", watch, "SK", "USER#"+user))
		}
		id := "1Vw" + w.letters(24)
		inbox := "MESSAGES#" + user
		message := typed("message", inbox, "MESSAGE#"+id).with("GSI1PK", inbox, "GSI1SK", "MESSAGE#"+id, "user_name", user, "message_id", id,
			"subject", "New deal", "body", "Look at "+brand, "unread", true, "created_at", w.moment(2).Format(isoUTC))
		s.put(message)
		if n%3 == 0 {
			s.put(message.without("GSI1PK", "GSI1SK").with("unread", false))
		}
	}
}

package cookbook

import "time"

// battleRoyale has players, games, and who played what: games are open until they start, and
// places are known when they end.
func battleRoyale(w *world, s *stream) {
	names := make([]string, 16)
	for n := range names {
		first, last, user := person(n)
		names[n] = user
		s.put(of("PK", "USER#"+user, "SK", "#METADATA#"+user, "username", user, "name", first+" "+last, "email", user+"@example.com",
			"birthdate", w.day(2).AddDate(-25-w.n(20), 0, 0).Format(isoDay), "address", w.one(streets...)+", "+w.one(cities...)))
	}
	maps := []string{"Green Grasslands", "Dirty Desert", "Juicy Jungle", "Urban Underground"}
	for n := range 12 {
		id, opened := w.uuid(), time.Date(2019, 4, 14, 9, 0, 0, 0, time.UTC).Add(time.Duration(n)*7*time.Hour)
		game := of("PK", "GAME#"+id, "SK", "#METADATA#"+id, "game_id", id, "map", w.one(maps...), "creator", w.one(names...),
			"create_time", opened.Format(isoLocal), "open_timestamp", opened.Add(5*time.Second).Format(isoLocal), "people", 1)
		s.put(game)
		var players []item
		for p := range 3 + w.n(4) {
			user := names[(n*3+p)%len(names)]
			players = append(players, of("PK", "GAME#"+id, "SK", "USER#"+user, "game_id", id, "username", user))
			game = game.with("people", p+1)
			s.put(players[p], game)
		}
		switch {
		case n == 10:
			s.remove(players[0]) // left before the game began
		case n < 10:
			game = game.without("open_timestamp").with("start_time", opened.Add(time.Hour).Format(isoLocal))
			s.put(game)
			if n < 8 {
				s.put(game.with("end_time", opened.Add(2*time.Hour).Format(isoLocal)))
				for p, medal := range []string{"gold", "silver", "bronze"} {
					s.put(players[p].with("place", medal))
				}
			}
		}
	}
	s.remove(of("PK", "USER#"+names[15], "SK", "#METADATA#"+names[15]))
}

package cookbook

import (
	"fmt"
	"strconv"
	"time"
)

// sensors has an item for an hour of readings, in two lists side by side, and songs with
// an item for each month's count.
func sensors(w *world, tables []*stream) {
	for n := range 12 {
		hour := time.Date(2021, 8, 1, n/3, 0, 0, 0, time.UTC).Unix()
		var values, times []any
		for m := range 3 + w.n(4) {
			value := fmt.Sprintf("%d.%02d", 10+w.n(15), 25*w.n(4))
			if n == 4 && m == 1 {
				value = "n/a" // a sensor that failed once
			}
			values, times = append(values, value), append(times, int(hour)+3+60*m)
			tables[0].put(of("sensor_id", fmt.Sprintf("air-%d", 1+n%3), "epoch_time_sec", int(hour), "data_values", values, "data_epoch_timestamps", times))
		}
	}
	for n := range 10 {
		s, id := tables[1], strconv.Itoa(n+1)
		downloads := 0
		song := of("Id", id, "Metadata", "Details", "Title", w.one("Wild Love", "Night Train", "Blue Hour")+" "+id, "Artist", w.one("Argyboots", "The Lasts"), "TotalDownloads", "0")
		s.put(song)
		for month := range 2 {
			count := 1 + w.n(3)
			for m := range count {
				at := time.Date(2018, time.Month(1+month), 1+m, n, 0, 7, 0, time.UTC)
				download := of("Id", id, "Metadata", fmt.Sprintf("Dld-93498%02d%d%d", n, month, m), "DownloadTimestamp", at.Format(isoLocal))
				s.put(download)
				if n == 3 && m == 0 {
					s.remove(download)
				}
			}
			downloads += count
			name := fmt.Sprintf("%02d-2018", 1+month)
			s.put(of("Id", id, "Metadata", "Month-"+name, "DownloadMonth", name, "TotalDownloadsInMonth", strconv.Itoa(count)))
		}
		s.put(song.with("TotalDownloads", strconv.Itoa(downloads)))
	}
}

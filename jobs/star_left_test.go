package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// moving is a change of a customer that lives somewhere: at = "" removes it.
type moving struct {
	time     int64 // ms
	who, was string
	at       string
}

func (m moving) record() string {
	image := func(at string) string {
		return fmt.Sprintf(`{"id": {"S": %q}, "city": {"S": %q}, "v": {"N": "%d"}}`, m.who, at, m.time)
	}
	body, event := "", "MODIFY"
	if m.was == "" {
		event = "INSERT"
	} else {
		body += `, "OldImage": ` + image(m.was)
	}
	if m.at == "" {
		event = "REMOVE"
	} else {
		body += `, "NewImage": ` + image(m.at)
	}
	return fmt.Sprintf(`{"eventName": %q, "eventID": "%s-%d", "tableName": "t", "dynamodb": {"ApproximateCreationDateTime": %d, "Keys": {"id": {"S": %q}}%s}}`,
		event, m.who, m.time, m.time, m.who, body)
}

// TestLeftMembers: a flagged member was deleted when the last row left it, by being
// deleted or for another natural key, in whatever order and epochs the changes come.
func TestLeftMembers(t *testing.T) {
	t.Parallel()
	random := seed(t)
	for range 6 {
		var all []moving
		now, lives := map[string]string{}, map[string]bool{}
		left := map[string]int64{}
		for i := range int64(40) {
			m := moving{time: 1_709_294_400_000 + i*1000, who: string(rune('a' + random.IntN(3)))}
			m.was = now[m.who]
			if random.IntN(5) > 0 {
				m.at = []string{"bern", "oslo", "rome", "turin", "york"}[random.IntN(5)]
			}
			if m.was == "" && m.at == "" {
				continue
			}
			if m.was != m.at && m.was != "" {
				left[m.was] = m.time
			}
			if m.at != "" {
				lives[m.at] = true
			}
			now[m.who] = m.at
			all = append(all, m)
		}
		var want []string
		for city := range lives {
			row := city + "|false|"
			if !slices.Contains([]string{now["a"], now["b"], now["c"]}, city) {
				row = fmt.Sprintf("%s|true|%d", city, left[city])
			}
			want = append(want, row)
		}
		slices.Sort(want)
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		var records strings.Builder
		for _, m := range all {
			records.WriteString(m.record() + "\n")
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, "in.ndjson"), []byte(records.String()))
		write(t, filepath.Join(dir, "p.yaml"), []byte(`
name: moving
sources: {changes: {type: file, path: in.ndjson, format: dynamodb_cdc}}
transforms:
  items: {type: unnest, inputs: [changes], tables: {customer: {key: [id], columns: {id: {}, city: {}, v: {type: int64}}}}}
  star: {type: star, inputs: [items], dimensions: {dim_city: {from: customer, natural_key: [city], surrogate_key: city_key, attributes: [v], on_delete: flag}}}
sinks: {w: {type: duckdb, inputs: [star], dsn: w.duckdb}}
`))
		fine(t, dir, "run", "p.yaml", "--set", fmt.Sprintf("epoch.max_records=%d", 1+random.IntN(12)))
		d := openDatabase(t)
		d.exec("ATTACH '" + filepath.Join(dir, "w.duckdb") + "' AS w (READ_ONLY)")
		got := strings.TrimSpace(d.rows("SELECT city || '|' || is_deleted || '|' || coalesce(epoch_ms(deleted_at)::VARCHAR, '') FROM w.dim_city WHERE city_key <> 0 ORDER BY city"))
		if got != strings.Join(want, "\n") {
			t.Fatalf("members are\n%s\nwant\n%s\nof\n%s", got, strings.Join(want, "\n"), records.String())
		}
	}
}

//go:build race

package settle

// raceEnabled says that tests run with the race detector, which takes its time.
const raceEnabled = true

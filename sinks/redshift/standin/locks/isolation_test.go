package locks

import "testing"

var (
	serializable = []Level{Serializable}
	snapshot     = []Level{Snapshot}
	both         = []Level{Snapshot, Serializable}
)

// scripts are cases of the documents, each with its page, and what follows from them.
type scripts []struct {
	name   string
	levels []Level
	script string
}

func (list scripts) play(t *testing.T) {
	for _, c := range list {
		for _, l := range c.levels {
			t.Run(c.name+", "+l.String(), func(t *testing.T) {
				s := newStage(t, l)
				s.play(c.script)
				s.end()
			})
		}
	}
}

func TestIsolation(t *testing.T) { isolation.play(t) }

var isolation = scripts{
	{"dg/c_serial_isolation-…-troubleshooting: cross-references", serializable, `
		1: begin
		2: begin
		1: select tab1
		1: insert tab2
		2: insert tab1
		2: select tab2 -> 1023
		2: rollback
		1: commit`},
	{"the same with the insert last", serializable, `
		1: begin
		2: begin
		1: select tab1
		2: select tab2
		2: insert tab1
		1: insert tab2 -> 1023
		2: commit`},
	{"the same when one has committed", serializable, `
		1: begin
		2: begin
		1: select tab1
		2: insert tab1
		1: insert tab2
		1: commit
		2: select tab2 -> 1023`},
	{"snapshots let both commit", snapshot, `
		1: begin
		2: begin
		1: select tab1
		1: insert tab2
		2: insert tab1
		2: select tab2
		1: commit
		2: commit`},
	{"dg/c_serial_isolation-…-troubleshooting: SELECT moved out", serializable, `
		1: begin
		2: begin
		1: insert tab1
		2: insert tab2
		1: commit
		2: commit
		1: begin
		1: select tab2
		1: commit`},
	{"dg/c_serial_isolation: the timeline of Numbers", serializable, `
		1: begin
		2: begin
		1: select numbers
		2: select numbers
		1: update numbers
		1: select numbers
		1: commit
		2: update numbers -> 1023`},
	{"dg/c_serial_isolation: the timeline of Numbers under SNAPSHOT", snapshot, `
		1: begin
		2: begin
		1: select numbers
		2: select numbers
		1: update numbers
		1: select numbers
		1: commit
		2: update numbers
		2: select numbers
		2: commit`},
	{"LOCK first serializes, since it takes no snapshot", serializable, `
		1: begin
		1: lock token
		2: begin
		2: lock token -> waits
		1: update token
		1: insert a
		1: commit
		2: resumes
		2: update token
		2: select a
		2: insert a
		2: commit`},
	{"estuary/connectors pull 5220: LOCK after the snapshot is too late", serializable, `
		1: begin
		2: begin
		1: lock token
		2: select other
		2: lock token -> waits
		1: update token
		1: commit
		2: resumes
		2: update token -> 1023`},
	{"LOCK after a snapshot that the other's write is not in", serializable, `
		1: begin
		2: begin
		2: select token
		1: insert other
		1: update token
		1: commit
		2: lock token
		2: update token -> 1023`},
	{"aws/aws-sdk-pandas issue 665: two merges whose snapshots a stage has taken", serializable, `
		1: begin
		2: begin
		1: copy stage1
		2: copy stage2
		1: delete target select stage1
		1: insert target select stage1
		2: delete target select stage2 -> waits
		1: commit
		2: resumes -> 1023`},
	{"the same under SNAPSHOT", snapshot, `
		1: begin
		2: begin
		1: copy stage1
		2: copy stage2
		1: delete target select stage1
		1: insert target select stage1
		2: delete target select stage2 -> waits
		1: commit
		2: resumes
		2: insert target select stage2
		2: commit`},
	{"pure inserts side by side", serializable, `
		1: begin
		2: begin
		3: begin
		1: insert a
		2: insert b
		3: insert c
		1: commit
		2: insert a
		3: insert b -> waits
		2: commit
		3: resumes
		3: insert a
		3: commit`},
	{"the order of two inserts does not matter", serializable, `
		1: begin
		2: begin
		1: select b
		2: insert b
		2: insert a
		2: commit
		1: insert a
		1: commit`},
	{"a cycle of three", serializable, `
		1: begin
		2: begin
		3: begin
		1: select a
		2: select b
		3: select c
		2: insert a
		3: insert b
		1: insert c -> 1023
		1: rollback
		2: commit
		3: commit`},
	{"a reader alone is refused", serializable, `
		1: begin
		1: select source
		2: begin
		2: update source
		2: commit
		1: insert derived
		3: begin
		3: select source
		3: select derived -> 1023
		3: rollback
		1: commit`},
	{"or the writer, if it comes after the reader", serializable, `
		1: begin
		1: select source
		2: begin
		2: update source
		2: commit
		3: begin
		3: select source
		3: select derived
		3: commit
		1: insert derived -> 1023`},
	{"a committed transaction that nobody overlaps still orders two others", serializable, `
		1: begin
		1: select x
		2: begin
		2: insert x
		2: commit
		3: begin
		3: select w
		1: insert z
		1: commit
		3: select x
		3: select z -> 1023`},
	{"a refused transaction refuses no others", serializable, `
		1: begin
		2: begin
		1: select a
		2: select b
		1: insert b
		2: insert a -> 1023
		1: select a
		1: commit
		2: rollback`},
	{"nor does one whose statement failed otherwise", serializable, `
		1: begin
		2: begin
		1: select a
		3: begin
		3: drop x
		1: insert b
		2: insert a
		1: select x -> waits
		3: commit
		1: resumes -> dropped
		2: select b
		2: commit`},
	{"who rolled back orders nobody", serializable, `
		1: begin
		2: begin
		1: select a
		1: insert b
		2: insert a
		1: rollback
		2: select b
		2: commit`},
	{"nor does it take the order of others along: one that committed before one that runs", serializable, `
		3: begin
		3: select z
		1: begin
		1: update b
		1: commit
		2: begin
		2: select c
		2: select b
		3: insert c
		3: insert b
		2: rollback
		3: select b -> 1023`},
	{"nor of two that run", serializable, `
		1: begin
		2: begin
		3: begin
		1: select c
		2: insert c
		1: select b
		2: select b
		3: insert b
		2: rollback
		3: select e
		1: insert e -> 1023`},
	{"nor of one that committed after it", serializable, `
		1: begin
		1: select z
		2: begin
		2: select a
		3: begin
		3: select q
		3: insert a
		3: commit
		2: insert a
		1: select a
		2: rollback
		1: insert q -> 1023`},
	{"one after the other is no conflict", serializable, `
		1: begin
		1: select a
		1: update b
		1: commit
		2: begin
		2: select b
		2: update a
		2: commit`},
	{"dg/c_serial_isolation-…-troubleshooting: 1018, created after the snapshot", both, `
		1: begin
		2: begin
		2: select b
		1: create a
		1: commit
		2: select a -> 1018`},
	{"dg/c_serial_isolation-…-troubleshooting: after the reorder", both, `
		1: begin
		1: create a
		1: commit
		2: begin
		2: select a
		2: commit`},
	{"a snapshot is taken late, so BEGIN alone is no reason for 1018", both, `
		2: begin
		1: begin
		1: create a
		1: insert a
		1: commit
		2: select a
		2: commit`},
	{"LOCK of a table after the snapshot is no use of it", both, `
		2: begin
		2: select b
		1: begin
		1: create a
		1: commit
		2: lock a
		2: insert a -> 1018`},
	{"dbt-labs/dbt-core issue 697: a reader waits for a DROP", both, `
		1: begin
		1: drop a
		2: begin
		2: select a -> waits
		3: begin
		3: insert a -> waits
		1: commit
		2: resumes -> dropped
		3: resumes -> dropped`},
	{"dbt-labs/dbt-core pull 349: two DROP … CASCADE with one view", both, `
		1: begin
		1: drop a v
		2: begin
		2: drop b v -> waits
		1: commit
		2: resumes -> dropped`},
	{"a DROP between the look-up of a name and its lock", both, `
		2: begin
		1: begin
		1: drop a
		1: commit
		2: select a -> dropped`},
	{"a DROP that was rolled back", both, `
		1: begin
		1: drop a
		2: begin
		2: select a -> waits
		1: rollback
		2: resumes
		2: commit`},
	{"what waits for ALTER goes on", both, `
		1: begin
		1: alter a
		2: begin
		2: alter a -> waits
		1: commit
		2: resumes
		2: commit`},
	{"dg/c_serial_isolation: TRUNCATE is visible to all once it is committed", serializable, `
		1: begin
		1: select b
		2: begin
		2: insert b
		2: truncate a
		2: commit
		1: select a -> 1023`},
	{"and with it what came before it", serializable, `
		1: begin
		1: select b
		2: begin
		2: update a
		2: commit
		3: begin
		3: truncate a
		3: commit
		1: select a
		1: commit`},
}

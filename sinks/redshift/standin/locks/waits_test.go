package locks

import "testing"

func TestWaits(t *testing.T) { waits.play(t) }

var waits = scripts{
	{"dg/r_Serializable_isolation_example: COPY into one table waits", both, `
		1: begin
		2: begin
		1: copy listing
		2: copy listing -> waits
		1: commit
		2: resumes
		2: commit`},
	{"dg/r_Serializable_isolation_example: DELETE from one table waits, and succeeds", both, `
		1: begin
		2: begin
		1: delete listing
		2: delete listing -> waits
		1: commit
		2: resumes
		2: commit`},
	{"dg/r_Serializable_isolation_example: a mixture", both, `
		1: begin
		2: begin
		1: delete users
		1: copy users
		1: select users
		2: copy users -> waits
		1: commit
		2: resumes
		2: select users
		2: commit`},
	{"dg/c_write_readwrite: deadlock of two tables", both, `
		1: begin
		2: begin
		1: update a
		2: update b
		1: update b -> waits
		2: update a -> deadlock
		2: rollback
		1: resumes
		1: commit`},
	{"dg/c_write_readwrite: deadlock of one table under SNAPSHOT", snapshot, `
		1: begin
		2: begin
		2: insert a
		1: insert a -> waits
		2: update a -> deadlock
		2: rollback
		1: resumes
		1: commit`},
	{"no such deadlock under SERIALIZABLE, where INSERT shares nothing", serializable, `
		1: begin
		2: begin
		2: insert a
		1: insert a -> waits
		2: update a
		2: commit
		1: resumes
		1: commit`},
	{"dg/r_LOCK: LOCK keeps readers and writers away, to the end", both, `
		1: begin
		1: lock a
		2: begin
		2: select a -> waits
		3: begin
		3: insert a -> waits
		1: commit
		2: resumes
		3: resumes`},
	{"dg/r_LOCK: LOCK waits for readers", both, `
		1: begin
		1: select a
		2: begin
		2: lock a -> waits
		1: commit
		2: resumes`},
	{"dg/r_LOCK: readers see what was committed while another writes", both, `
		1: begin
		1: update a
		2: begin
		2: select a
		2: commit
		1: commit`},
	{"who waits for LOCK holds back readers that come later", both, `
		1: begin
		1: select a
		2: begin
		2: lock a -> waits
		3: begin
		3: select a -> waits
		1: select a
		1: commit
		2: resumes
		2: commit
		3: resumes`},
	{"first come, first served", both, `
		1: begin
		1: update a
		2: begin
		2: update a -> waits
		3: begin
		3: update a -> waits
		1: commit
		2: resumes
		2: commit
		3: resumes`},
	{"an upgrade goes ahead of who waits for it anyway", both, `
		1: begin
		1: select a
		2: begin
		2: lock a -> waits
		1: update a
		1: commit
		2: resumes`},
	{"two upgrades are a deadlock", both, `
		1: begin
		1: select a
		2: begin
		2: select a
		1: lock a -> waits
		2: lock a -> deadlock
		2: rollback
		1: resumes`},
	{"a deadlock of three", both, `
		1: begin
		1: insert a
		2: begin
		2: insert b
		3: begin
		3: insert c
		1: insert b -> waits
		2: insert c -> waits
		3: insert a -> deadlock
		3: rollback
		2: resumes
		2: commit
		1: resumes`},
	{"a deadlock that only the queue makes is resolved", both, `
		1: begin
		1: insert a
		3: begin
		3: select b
		2: begin
		2: lock b -> waits
		3: insert a -> waits
		1: select b
		1: commit
		3: resumes
		3: commit
		2: resumes`},
	{"and by what waits already", both, `
		1: begin
		1: insert a
		3: begin
		3: select b
		2: begin
		2: lock b -> waits
		1: select b -> waits
		3: insert a -> waits
		1: resumes
		1: commit
		3: resumes
		3: commit
		2: resumes`},
	{"a queue keeps its order if another order does not resolve the deadlock", both, `
		1: begin
		1: select a
		2: begin
		2: select a
		3: begin
		3: select q
		3: insert z
		4: begin
		4: lock q -> waits
		1: select q -> waits
		2: insert z -> waits
		3: lock a -> deadlock
		3: rollback
		2: resumes
		4: resumes
		4: commit
		1: resumes`},
	{"a transaction does not wait for itself", both, `
		1: begin
		1: select a
		1: insert a select a
		1: update a
		1: lock a
		1: alter a
		1: select a
		1: commit`},
}

package jobs

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestFamilyCPU: the CPU of children counts, of those that have ended as well.
func TestFamilyCPU(t *testing.T) {
	self, ok := statOf(os.Getpid())
	if !ok || self.parent != os.Getppid() {
		t.Fatalf("stat of this process is %+v (%t), want the parent %d", self, ok, os.Getppid())
	}
	// A child that waits, with one that was busy and has ended, and one that is.
	cmd := exec.Command("/bin/sh", "-c", `sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'; echo done; while :; do :; done & read x; kill $!`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	ended, ok := statOf(cmd.Process.Pid)
	if !ok || ended.name != "sh" || ended.ended == 0 {
		t.Errorf("stat of the child is %+v (%t), want a sh whose child had some CPU", ended, ok)
	}
	before := familyCPU(cmd.Process.Pid)
	for deadline := time.Now().Add(20 * time.Second); familyCPU(cmd.Process.Pid) < before+0.1; {
		if time.Now().After(deadline) {
			t.Fatalf("CPU of the family stays at %g s while a child is busy", before)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if familyCPU(0) != 0 {
		t.Error("no process has CPU")
	}
}

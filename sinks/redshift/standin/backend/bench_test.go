package backend

import (
	"context"
	"fmt"
	"testing"
)

func BenchmarkDatabase(b *testing.B) {
	c := cluster(b)
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprintf("bench%d", i)
		if err := c.CreateDatabase(b.Context(), name, "", Snapshot); err != nil {
			b.Fatal(err)
		}
		if err := c.DropDatabase(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	name := database(b)
	for b.Loop() {
		c, err := cluster(b).Connect(b.Context(), name, "awsuser")
		if err != nil {
			b.Fatal(err)
		}
		closeConn(b, c)
	}
}

func BenchmarkRelation(b *testing.B) {
	c := connect(b, database(b))
	catalogObjects(b, c)
	for b.Loop() {
		if r, err := c.Relation(context.Background(), "dwh", "sale"); r == nil || err != nil {
			b.Fatal(r, err)
		}
	}
}

package redshift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/pipeline/blob"
	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

// probeTimeout is how long a COPY of nothing may take, on a cluster that is busy.
const probeTimeout = time.Minute

// probeText is a row that COPY can read, and does not load.
const probeText = "1\n"

// checkStage tries what a flush does on the stage, with an object that is gone again when it
// returns. conn is to a cluster that is asked to read it; nil = none can be reached.
func (s *Sink) checkStage(ctx context.Context, o pipeline.SinkOptions, conn *pgconn.Conn, r *connectionReport) {
	l, ok := s.loader.(*s3Loader)
	if s.cfg.Stage.None || !ok {
		r.warn("stage: none sends rows as INSERT statements, which are slow: it is for small pipelines")
		return
	}
	cluster := regionOfHost(s.db.client.Config.Host)
	if stage := s.cfg.Stage.S3.Region; cluster != "" && stage != "" && cluster != stage {
		r.wrong("stage.region is %s, and the cluster is in %s: COPY of Parquet wants a bucket in its own region", stage, cluster)
	}
	if err := l.connect(o.Env); err != nil {
		r.wrong("stage: %v", err)
		return
	}
	name := folderOf(o, s.name).ofState() + "probe.csv"
	url := l.store.URL(name)
	if err := blob.WriteAll(ctx, l.store, name, []byte(probeText), blob.CreateOptions{}); err != nil {
		r.wrong("stage: an object can't be written (s3:PutObject): %v", err)
		return
	}
	defer func() {
		if err := l.store.Delete(context.WithoutCancel(ctx), name); err != nil {
			r.wrong("stage: objects can't be removed (s3:DeleteObject), and %s is left: %v", url, err)
		}
	}()
	failed := false
	if err := readProbe(ctx, l.store, name); err != nil {
		failed = true
		r.wrong("stage: %s was written and can't be read (s3:GetObject): %v", url, err)
	}
	if err := listProbe(ctx, l.store, folderOf(o, s.name).ofState(), name); err != nil {
		failed = true
		r.wrong("stage: the folder can't be listed (s3:ListBucket): %v", err)
	}
	if !failed {
		r.fine("stage: %s can be written, read, listed and removed", strings.TrimSuffix(url, "probe.csv"))
	}
	if conn == nil {
		return
	}
	if err := copyProbe(ctx, conn, url, &s.cfg.Stage.S3); err != nil {
		r.wrong("stage: Redshift can't copy from it with the role: %s", describeCopyError(err))
		return
	}
	r.fine("stage: Redshift copies from it with the role")
}

func readProbe(ctx context.Context, store blob.Store, name string) (err error) {
	f, err := store.Open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(probeText))+1))
	if err == nil && string(text) != probeText {
		err = fmt.Errorf("it holds %d bytes, and not those that were written", len(text))
	}
	return err
}

func listProbe(ctx context.Context, store blob.Store, folder, name string) error {
	for o, err := range store.List(ctx, folder, blob.ListOptions{Recursive: true}) {
		if err != nil {
			return err
		}
		if o.Name == name {
			return nil
		}
	}
	return errors.New("what was written is not in the list")
}

// copyProbe has the cluster read an object, into a temporary table of a transaction that is rolled
// back. NOLOAD, which Parquet does not have, reads and checks and loads nothing
// (https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html#copy-noload).
func copyProbe(ctx context.Context, conn *pgconn.Conn, url string, cfg *S3StageConfig) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for _, statement := range []string{
		begin,
		`CREATE TEMPORARY TABLE "starlift_probe" ("a" INTEGER)`,
		fmt.Sprintf("COPY \"starlift_probe\"\nFROM %s\n%s\nFORMAT AS CSV NOLOAD", literal(url), cfg.authorization()),
		"ROLLBACK",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err // the connection is closed, and the transaction with it
		}
	}
	return nil
}

package backend

import (
	"context"
	"embed"
	"fmt"
	"path"

	"github.com/jackc/pgx/v5/pgconn"
)

// files are run in the order of their names.
//
//go:embed sql/*.sql
var files embed.FS

// makeTemplate makes the database that all others are copies of. Case of letters beyond
// ASCII is Redshift's affair in lower() and upper(), so the template has a character type
// of Unicode where the machine has one; texts are compared by their bytes.
func (c *Cluster) makeTemplate(ctx context.Context) error {
	create := "CREATE DATABASE " + quote(c.template) + " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE "
	if err := c.exec(ctx, create+"'C.UTF-8'"); err != nil {
		if err := c.exec(ctx, create+"'C'"); err != nil {
			return err
		}
	}
	if err := c.fillTemplate(ctx); err != nil {
		return err
	}
	return c.exec(ctx, "ALTER DATABASE "+quote(c.template)+" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")
}

func (c *Cluster) fillTemplate(ctx context.Context) error {
	config := c.config.Copy()
	config.Database = c.template
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(ctx) // nothing of it is wanted any more
	}()
	prefix := "CREATE SCHEMA rs; CREATE FUNCTION rs.database_prefix() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT " + literal(c.prefix) + "::text $$"
	if err := execConn(ctx, conn, prefix); err != nil {
		return err
	}
	entries, err := files.ReadDir("sql")
	if err != nil {
		return err
	}
	for _, e := range entries {
		sql, err := files.ReadFile(path.Join("sql", e.Name()))
		if err != nil {
			return err
		}
		if err := execConn(ctx, conn, string(sql)); err != nil {
			return fmt.Errorf("%s: %w", where(e.Name(), string(sql), err), err)
		}
	}
	return nil
}

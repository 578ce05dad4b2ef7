package redshift

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlift-etl/starlift/pipeline"
	"github.com/starlift-etl/starlift/sinks/internal/warehouse"
)

// relation is what has the name of a table, as the catalogue tells it.
type relation struct {
	kind    string   // pg_class.relkind
	lacks   []string // the rights that the user has not, of tableRights
	columns warehouse.Columns
}

// relationKinds are what has a table's name and is none, by the catalogue's letter.
var relationKinds = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table", "i": "an index", "S": "a sequence", "c": "a type"}

// tableRights are what a sink needs of a table: UPDATE for LOCK, for the token, and where others
// have added columns.
var tableRights = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// fromRelation is the table of a schema in the catalogue. Names are there as they were folded.
const fromRelation = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

// relationsMax is how many names one query asks for.
const relationsMax = 1000

// readRelations asks the catalogue for tables, with one query for many: each takes about as long as
// a query of rows. What was read is known until the transaction changes it.
func (t *tx) readRelations(ctx context.Context, tables ...string) error {
	for len(tables) > relationsMax {
		if err := t.readRelations(ctx, tables[:relationsMax]...); err != nil {
			return err
		}
		tables = tables[relationsMax:]
	}
	args, list := []any{warehouse.FoldASCII(t.Schema)}, make([]string, len(tables))
	for i, table := range tables {
		args = append(args, warehouse.FoldASCII(table))
		list[i] = fmt.Sprint("$", len(args))
		t.relations[warehouse.FoldASCII(table)] = nil
	}
	if len(tables) == 0 {
		return nil
	}
	rows, err := t.Query(ctx, `SELECT c.relname, c.relkind, `+rightsOf("c")+`, a.attname, format_type(a.atttypid, a.atttypmod),
	CASE WHEN a.attnotnull THEN 1 ELSE 0 END, CASE WHEN a.atthasdef THEN 1 ELSE 0 END, CASE WHEN d.adsrc LIKE '"identity"(%' THEN 2 WHEN d.adsrc LIKE '%default_identity%(%' THEN 1 ELSE 0 END
`+fromRelation+`
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relname IN (`+strings.Join(list, ", ")+`)`, args...)
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	for _, r := range rows {
		found := t.relations[r[0]]
		if found == nil {
			found = &relation{kind: r[1], columns: warehouse.Columns{}}
			for i, right := range tableRights {
				if r[2+i] != "1" {
					found.lacks = append(found.lacks, right)
				}
			}
			t.relations[r[0]] = found
		}
		if c := r[2+len(tableRights):]; c[0] != "" {
			found.columns[c[0]] = warehouse.Column{Type: plainType(c[1]), NotNull: c[2] == "1", HasDefault: c[3] == "1", Generated: c[4] == "2", Identity: c[4] != "0"}
		}
	}
	return nil
}

// rightsOf returns expressions for tableRights, which are 1 where the user has them.
func rightsOf(relation string) string {
	list := make([]string, len(tableRights))
	for i, right := range tableRights {
		list[i] = fmt.Sprintf("CASE WHEN %[1]s.relkind <> 'r' OR has_table_privilege(%[1]s.oid, '%[2]s') THEN 1 ELSE 0 END", relation, strings.ToLower(right))
	}
	return strings.Join(list, ", ")
}

// plainType returns a type without the length that it has by default.
func plainType(name string) string {
	if name == fmt.Sprintf("binary varying(%d)", varbyteBytes) {
		return "binary varying"
	}
	return name
}

// relation returns what has the name of a table; nil = nothing has.
func (t *tx) relation(ctx context.Context, table string) (*relation, error) {
	name := warehouse.FoldASCII(table)
	if _, known := t.relations[name]; !known {
		if err := t.readRelations(ctx, table); err != nil {
			return nil, err
		}
	}
	return t.relations[name], nil
}

// forget has the catalogue asked again.
func (t *tx) forget(table string) { delete(t.relations, warehouse.FoldASCII(table)) }

// FindTable implements warehouse.TableReader.
func (t *tx) FindTable(ctx context.Context, table string) (*warehouse.FoundTable, error) {
	r, err := t.relation(ctx, table)
	if err != nil || r == nil {
		return nil, err
	}
	found := &warehouse.FoundTable{}
	if r.kind != "r" {
		found.Kind = relationKinds[r.kind]
		if found.Kind == "" {
			found.Kind = "something else"
		}
		return found, nil
	}
	if r.lacks != nil {
		list := strings.Join(r.lacks, ", ")
		found.Problem = fmt.Sprintf("is there, and the user of dsn may not %s there: GRANT %s ON %s", list, list, t.in(table))
	}
	return found, nil
}

// TableColumns implements warehouse.TableReader.
func (t *tx) TableColumns(ctx context.Context, table string) (warehouse.Columns, error) {
	r, err := t.relation(ctx, table)
	if err != nil || r == nil {
		return warehouse.Columns{}, err
	}
	return r.columns, nil
}

// CreateTable implements warehouse.Catalog.
func (t *tx) CreateTable(ctx context.Context, table *pipeline.Table) error {
	t.forget(table.Name)
	return t.SQL.CreateTable(ctx, table)
}

// AddColumn implements warehouse.Catalog: an ALTER adds one column only.
func (t *tx) AddColumn(ctx context.Context, table string, c pipeline.Column) error {
	t.forget(table)
	_, err := t.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s%s", t.in(table), warehouse.Quote(c.Name), sqlType(c.Type), t.cfg.encoding(table, c.Name)))
	return err
}

// DropTable implements warehouse.Catalog.
func (t *tx) DropTable(ctx context.Context, table string) error {
	t.forget(table)
	return t.SQL.DropTable(ctx, table)
}

// CreateSchema implements warehouse.Catalog. It asks before, since a user who may write to a schema
// need not be one who may make it.
func (t *tx) CreateSchema(ctx context.Context) error {
	if t.token != "" {
		return nil // the token table is in it
	}
	found, err := t.Query(ctx, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", warehouse.FoldASCII(t.Schema))
	if err != nil || len(found) > 0 {
		return err
	}
	return t.SQL.CreateSchema(ctx)
}

// makeOwnTables makes the sinks' own tables that an owner needs, and their schema, where they are missing.
func (t *tx) makeOwnTables(ctx context.Context, o warehouse.Owner) error {
	found, err := t.Query(ctx, "SELECT c.relname "+fromRelation+" WHERE n.nspname = $1 AND c.relname IN ($2, $3, $4)",
		warehouse.FoldASCII(t.Schema), tokenTable(o), warehouse.EpochsTable, warehouse.TablesTable)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, r := range found {
		there[r[0]] = true
	}
	if len(there) == 0 {
		if err := t.CreateSchema(ctx); err != nil {
			return fmt.Errorf("schema %q: %w", t.Schema, err)
		}
	}
	for _, table := range ownTables(o) {
		if there[table.Name] {
			continue
		}
		if _, err := t.Exec(ctx, dialect.CreateTable(t.Schema, table)); err != nil {
			return fmt.Errorf("table %q: %w", table.Name, err)
		}
	}
	return nil
}

// ownTables returns the sinks' own tables, as an owner has them.
func ownTables(o warehouse.Owner) []*pipeline.Table {
	return []*pipeline.Table{tokens(o), warehouse.Epochs(), warehouse.Tables()}
}

func namesOf(tables []*pipeline.Table) []string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	return names
}

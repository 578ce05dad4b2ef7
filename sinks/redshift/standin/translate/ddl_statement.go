package translate

import "github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"

// otherStatement is what neither asks rows of a query nor changes rows by one.
func (t *translator) otherStatement(st syntax.Statement) {
	switch st := st.(type) {
	case *syntax.CreateTable:
		t.createTable(st)
	case *syntax.CreateTableAs:
		t.createTableAs(st)
	case *syntax.CreateView:
		t.createView(st)
	case *syntax.CreateMaterializedView:
		t.createMaterializedView(st)
	case *syntax.RefreshMaterializedView:
		t.refresh(st)
	case *syntax.AlterMaterializedView:
		t.alterMaterializedView(st)
	case *syntax.AlterTable:
		t.alterTable(st)
	case *syntax.Drop:
		t.drop(st)
	case *syntax.CreateSchema:
		t.createSchema(st)
	case *syntax.AlterSchema:
		t.alterSchema(st)
	case *syntax.Comment:
		t.comment(st)
	default:
		t.utility(st)
	}
}

// utility is what loads, looks after tables, and says who may do what.
func (t *translator) utility(st syntax.Statement) {
	switch st := st.(type) {
	case *syntax.Copy:
		t.copy(st)
	case *syntax.Unload:
		t.unload(st)
	case *syntax.Lock:
		t.lock(st)
	case *syntax.Vacuum:
		t.vacuum(st)
	case *syntax.Analyze:
		t.analyze(st)
	case *syntax.Show:
		t.show(st)
	case *syntax.Principal:
		t.principal(st)
	case *syntax.Grant:
		t.grant(st)
	case *syntax.DefaultPrivileges:
		t.defaultPrivileges(st)
	case *syntax.Policy:
		t.policy(st)
	case *syntax.Routine:
		t.createRoutine(st)
	case *syntax.CallProcedure:
		t.callProcedure(st)
	default:
		t.fail(unknownToStandin("this statement"))
	}
}

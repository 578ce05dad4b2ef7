package server

import (
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/translate"
)

// maxParameters is the highest number of a parameter: it is kept in 16 bits with a sign.
const maxParameters = 1<<15 - 1

// statement is a prepared statement.
type statement struct {
	text *syntax.Text // nil = an empty text
	oids []uint32     // types of parameters that the client, or PREPARE, said; PostgreSQL's

	// plan is what the statement means as long as the session's meaning is that number, and
	// shape what it takes and gives then.
	plan    *translate.Plan
	meaning int64
	shape   *shape // nil = not asked for yet
	backend string // PostgreSQL's statement; empty = none
	told    *shape // that the client knows; nil = none
	// fleeting tells that the plan has rows of the server's own in it, as they were then.
	fleeting bool
}

// portal is a statement with its parameters.
type portal struct {
	call
	done bool
}

// call is a statement that is about to run.
type call struct {
	statement *statement
	// parameters and their formats, and the results', are as in Bind.
	parameters       [][]byte
	parameterFormats []int16
	resultFormats    []int16
	describe         bool   // the result's description is sent before its rows
	several          bool   // there are other statements in the message
	max              uint32 // rows; 0 = all
	backend          string // PostgreSQL's portal of which rows are left; empty = none
}

// extended does what a message of the extended protocol says. After an error everything is
// skipped up to Sync.
func (s *session) extended(message pgproto3.FrontendMessage) error {
	if s.skipping {
		return nil
	}
	var err error
	switch m := message.(type) {
	case *pgproto3.Parse:
		err = s.parse(m)
	case *pgproto3.Bind:
		err = s.bind(m)
	case *pgproto3.Describe:
		err = s.describeMessage(m)
	case *pgproto3.Execute:
		err = s.execute(m)
	case *pgproto3.Close:
		err = s.closeObject(m)
	}
	if err != nil {
		s.failed(err)
		s.skipping = true
	}
	if s.lostAfter || s.detached.Load() {
		// There will be no Sync.
		if s.tx.state == implicit && err == nil {
			if err := s.commit(); err != nil {
				return err
			}
		}
		return s.dropClient()
	}
	return s.ctx.Err()
}

// sync ends the implicit transaction.
func (s *session) sync() error {
	s.skipping = false
	if s.tx.state == implicit {
		if err := s.commit(); err != nil {
			s.failed(err)
		}
	}
	return s.finish()
}

func (s *session) parse(m *pgproto3.Parse) error {
	texts, err := parse(m.Query)
	if err != nil {
		return err
	}
	st := &statement{}
	switch {
	case len(texts) > 1:
		return refusal("42601", "cannot insert multiple commands into a prepared statement")
	case len(texts) == 1:
		st.text = &texts[0]
	}
	if _, taken := s.statements[m.Name]; taken && m.Name != "" {
		return refusal("42P05", "prepared statement %q already exists", m.Name)
	}
	for _, oid := range m.ParameterOIDs {
		st.oids = append(st.oids, s.backendOID(oid))
	}
	if st.text != nil {
		if err := s.analyze(st); err != nil {
			return err
		}
	}
	if old, ok := s.statements[m.Name]; ok {
		s.forget(old)
	}
	s.statements[m.Name] = st
	s.client.Send(&pgproto3.ParseComplete{})
	return nil
}

// analyze finds out what a statement means, and what it takes and gives.
func (s *session) analyze(st *statement) error {
	if st.text.Params > maxParameters {
		return refusal("42P02", "there is no parameter $-32768")
	}
	if s.tx.state == failed && !endsBlock(st.text.Statement) {
		return errAborted()
	}
	ctx, release := s.statementContext()
	defer release()
	if st.shape != nil && st.meaning == s.tx.meaning {
		return nil
	}
	sh, local, err := s.localShape(ctx, st.text.Statement)
	if err != nil {
		return err
	}
	if local {
		st.shape, st.meaning = sh, s.tx.meaning
		return nil
	}
	if s.tx.state == idle {
		s.begin(implicit)
	}
	return s.hold(ctx, st)
}

func endsBlock(statement syntax.Statement) bool {
	switch statement.(type) {
	case *syntax.Commit, *syntax.Rollback:
		return true
	}
	return false
}

func (s *session) bind(m *pgproto3.Bind) error {
	st, ok := s.statements[m.PreparedStatement]
	if !ok {
		return refusal("26000", "prepared statement %q does not exist", m.PreparedStatement)
	}
	if _, taken := s.portals[m.DestinationPortal]; taken && m.DestinationPortal != "" {
		return refusal("42P03", "portal %q already exists", m.DestinationPortal)
	}
	if s.tx.state == failed && (st.text == nil || !endsBlock(st.text.Statement)) {
		return errAborted()
	}
	want := 0
	if st.shape != nil {
		want = len(st.shape.parameters)
	}
	if len(m.Parameters) != want {
		return refusal("08P01", "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Parameters), m.PreparedStatement, want)
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return refusal("08P01", "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	p := &portal{call: call{statement: st}}
	// The message's memory is the reader's.
	for _, v := range m.Parameters {
		if v != nil {
			v = append(make([]byte, 0, len(v)), v...)
		}
		p.parameters = append(p.parameters, v)
	}
	p.parameterFormats = append(p.parameterFormats, m.ParameterFormatCodes...)
	p.resultFormats = append(p.resultFormats, m.ResultFormatCodes...)
	if s.tx.state == idle {
		s.begin(implicit) // a portal lives as long as its transaction
	}
	if old, ok := s.portals[m.DestinationPortal]; ok {
		s.closePortal(old)
	}
	s.portals[m.DestinationPortal] = p
	s.client.Send(&pgproto3.BindComplete{})
	return nil
}

func (s *session) describeMessage(m *pgproto3.Describe) error {
	var st *statement
	var codes []int16
	if m.ObjectType == 'S' {
		st = s.statements[m.Name]
		if st == nil {
			return refusal("26000", "prepared statement %q does not exist", m.Name)
		}
	} else {
		p := s.portals[m.Name]
		if p == nil && s.cursor != nil && s.cursor.name == m.Name {
			s.client.Send(s.cursor.shape.described(nil)) // a cursor is a portal of its name
			return nil
		}
		if p == nil {
			return refusal("34000", "portal %q does not exist", m.Name)
		}
		st, codes = p.statement, p.resultFormats
	}
	sh := &shape{}
	if st.text != nil {
		if err := s.analyze(st); err != nil {
			return err
		}
		sh = st.shape
	}
	st.told = sh
	if m.ObjectType == 'S' {
		s.client.Send(&pgproto3.ParameterDescription{ParameterOIDs: sh.parameters})
	}
	if sh.fields == nil {
		s.client.Send(&pgproto3.NoData{})
	} else {
		s.client.Send(sh.described(codes))
	}
	return nil
}

func (s *session) execute(m *pgproto3.Execute) error {
	p, ok := s.portals[m.Portal]
	if !ok {
		return refusal("34000", "portal %q does not exist", m.Portal)
	}
	if p.statement.text == nil {
		s.client.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	if p.done && p.statement.shape != nil && p.statement.shape.fields != nil {
		s.complete("SELECT 0") // there are no rows left
		return nil
	}
	if p.done {
		return refusal("55000", "portal %q cannot be run", m.Portal)
	}
	p.max = m.MaxRows
	if p.statement.fleeting && p.backend == "" {
		p.statement.meaning = 0
	}
	tag, err := s.run(&p.call)
	if err != nil {
		return err
	}
	if p.backend != "" {
		s.client.Send(&pgproto3.PortalSuspended{})
		return nil
	}
	p.done = true
	if !s.lostAfter {
		s.complete(tag)
	}
	return nil
}

func (s *session) closeObject(m *pgproto3.Close) error {
	if m.ObjectType == 'S' {
		if st, ok := s.statements[m.Name]; ok {
			s.forget(st)
			delete(s.statements, m.Name)
		}
	} else if p, ok := s.portals[m.Name]; ok {
		s.closePortal(p)
		delete(s.portals, m.Name)
	}
	s.client.Send(&pgproto3.CloseComplete{})
	return nil
}

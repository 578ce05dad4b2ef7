package server

import (
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/syntax"
)

// simple runs the statements of a Query message, as one transaction if they open none.
func (s *session) simple(sql string) error {
	texts, err := parse(sql)
	if err != nil {
		s.failed(err)
		return s.finish()
	}
	if len(texts) == 0 {
		s.client.Send(&pgproto3.EmptyQueryResponse{})
	}
	for i := range texts {
		c := &call{statement: &statement{text: &texts[i]}, describe: true, several: len(texts) > 1}
		tag, err := s.run(c)
		if err == nil && i == len(texts)-1 && s.tx.state == implicit {
			err = s.commit() // before the client hears that it is done
		}
		if err != nil {
			s.failed(err)
			break
		}
		if s.lostAfter {
			return s.dropClient()
		}
		s.complete(tag)
	}
	return s.finish()
}

// finish ends what a message, or the messages up to a Sync, did.
func (s *session) finish() error {
	if s.detached.Load() {
		return errGone
	}
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	s.report()
	s.ready()
	return s.client.Flush()
}

func (s *session) complete(tag string) {
	s.client.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}

// failed tells the client of an error, after which the transaction is over.
func (s *session) failed(err error) {
	s.fail()
	if s.ctx.Err() != nil {
		return // the session's end is told
	}
	e := pgError(err)
	s.log.Info("statement failed", "code", e.Code, "message", e.Message, "detail", e.Detail)
	s.send(e)
}

// dropClient closes the connection without another word: what ran is done.
func (s *session) dropClient() error {
	s.detach()
	return errGone
}

// parse reads a text of statements. A text that is too long is refused unread.
func parse(sql string) ([]syntax.Text, error) {
	if len(sql) > maxStatement {
		return nil, refusal("42601", "Statement is too large. Statement Size: %d bytes. Maximum Allowed: %d bytes", len(sql), maxStatement)
	}
	return syntax.Parse(sql)
}

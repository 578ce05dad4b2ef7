package server

import "context"

func (s *session) copy(ctx context.Context, c *call) (string, error) {
	return "", refusal("0A000", "COPY is not supported yet")
}

func (s *session) unload(ctx context.Context, c *call) (string, error) {
	return "", refusal("0A000", "UNLOAD is not supported yet")
}

// note tells of relations that a statement has made or dropped.
func (s *session) note(ctx context.Context, st *statement) error { return nil }

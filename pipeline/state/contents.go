package state

import "encoding/json"

// Contents is what a state holds that a pipeline is compared with at its start.
type Contents struct {
	Definition json.RawMessage `json:"definition"` // what SetDefinition was given; nil = none yet
	Checkpoint *Checkpoint     `json:"checkpoint"`
	Committed  int64           `json:"committed"` // the last epoch that every sink has committed, as far as is known
	Read       []string        `json:"read"`      // the sources of which something was read
}

// Contents reads what a pipeline is compared with.
func (s *Store) Contents() (*Contents, error) {
	c := &Contents{}
	definition, err := s.Definition()
	if err != nil {
		return nil, err
	}
	c.Definition = definition
	if c.Checkpoint, err = s.Checkpoint(); err != nil {
		return nil, err
	}
	if c.Committed, err = s.Committed(); err != nil {
		return nil, err
	}
	c.Read, err = s.Sources()
	return c, err
}

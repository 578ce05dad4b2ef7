// Package tablename reads how a pipeline file names a DynamoDB table: by its name, or by its ARN, as
// DynamoDB's calls take either.
package tablename

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Names have 3 to 255 letters, digits and _.- (DynamoDB's developer guide, naming rules).
var (
	name = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	arn  = regexp.MustCompile(`^arn:aws[a-z-]*:dynamodb:([a-z0-9-]+):[0-9]{12}:table/([a-zA-Z0-9_.-]{3,255})$`)
)

// Table is a table as a pipeline file names it.
type Table struct {
	Name   string // without account and region: the logical table
	Region string // that of the ARN; empty = the file has the name only
}

// Parse reads a name or an ARN. The error says what to write instead.
func Parse(text string) (Table, error) {
	if m := arn.FindStringSubmatch(text); m != nil {
		return Table{Name: m[2], Region: m[1]}, nil
	}
	switch {
	case text == "":
		return Table{}, errors.New("table is missing: give the table's name, or its ARN")
	case !name.MatchString(text):
		return Table{}, fmt.Errorf("%q is no table: give its name, of 3 to 255 letters, digits and _.-, or its ARN, as arn:aws:dynamodb:eu-central-1:123456789012:table/shop", text)
	}
	return Table{Name: text}, nil
}

// Check returns what is wrong with the keys table and region of a pipeline file, joined, each a
// *spec.FieldError.
func Check(table, region string) error {
	t, err := Parse(table)
	switch {
	case err != nil:
		return &spec.FieldError{Path: []string{"table"}, Message: err.Error()}
	case t.Region != "" && region != "" && region != t.Region:
		return &spec.FieldError{Path: []string{"region"}, Message: fmt.Sprintf("the region is not that of the table's ARN, %s: leave it out", t.Region)}
	}
	return nil
}

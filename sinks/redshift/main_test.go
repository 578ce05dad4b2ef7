package redshift

import (
	"testing"

	"github.com/starlift-etl/starlift/sinks/redshift/redshifttest"
)

func TestMain(m *testing.M) { redshifttest.Main(m) }

package deadletters

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/starlift-etl/starlift/pipeline/awstest"
)

func TestMain(m *testing.M) {
	if err := awstest.MainEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

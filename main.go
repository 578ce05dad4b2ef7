// Command starlift turns the changes of a DynamoDB table into settled tables.
package main

import (
	"os"

	"github.com/starlift-etl/starlift/jobs"
)

func main() {
	os.Exit(jobs.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

package awstest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"

	"github.com/starlift-etl/starlift/pipeline/awsapi"
)

// What all services here are asked with. S3 is the only one that checks the secret.
const (
	AccessKey = "test"
	SecretKey = "testtest"
	Region    = "us-east-1"
)

// Config returns what a client of the SDK is made of, to speak with an endpoint: that of
// a Service, a Proxy or an HTTPProxy. Its connections are closed at the test's end.
func Config(t testing.TB, endpoint string) aws.Config {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{
		Region:       Region,
		BaseEndpoint: &endpoint,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: AccessKey, SecretAccessKey: SecretKey, Source: "awstest"}, nil
		}),
		HTTPClient: &http.Client{Transport: transport},
		APIOptions: []func(*middleware.Stack) error{awsapi.PlainBody},
	}
}

// environment is what the SDK's chain of credentials finds in a test: the keys above,
// and nothing that a developer's machine has beside them.
func environment() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID":           AccessKey,
		"AWS_SECRET_ACCESS_KEY":       SecretKey,
		"AWS_REGION":                  Region,
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	}
}

// Environ returns the environment of a process that is to speak with services here:
// that of this process with credentials that do nothing elsewhere, and without all else
// that concerns AWS.
func Environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") })
	for name, value := range environment() {
		env = append(env, name+"="+value)
	}
	return env
}

// Setenv makes the environment of the test's process what Environ says, until the test
// ends. Parallel tests can't have that: their TestMain calls MainEnv.
func Setenv(t testing.TB) {
	t.Helper()
	// What t.Setenv has seen it puts back.
	err := replace(func(name, value string) error {
		t.Setenv(name, value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// MainEnv makes the environment of a package's tests what Environ says, for good.
func MainEnv() error { return replace(os.Setenv) }

func replace(set func(name, value string) error) error {
	for _, s := range os.Environ() {
		name, value, _ := strings.Cut(s, "=")
		if !strings.HasPrefix(name, "AWS_") {
			continue
		}
		if err := errors.Join(set(name, value), os.Unsetenv(name)); err != nil {
			return err
		}
	}
	for name, value := range environment() {
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

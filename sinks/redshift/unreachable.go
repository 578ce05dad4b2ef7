package redshift

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	pgx "github.com/jackc/pgx/v5/pgconn"

	"github.com/starlift-etl/starlift/pipeline/pgconn"
)

// describeUnreachable says for people why there is no connection, and where to look.
func describeUnreachable(server pgconn.Config, err error) string {
	at := server.Address()
	var pg *pgx.PgError
	var dns *net.DNSError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	var credentials *credentialsError
	switch text := err.Error(); {
	case errors.As(err, &credentials):
		return "no connection was tried, for want of credentials: " + credentials.Error()
	case errors.As(err, &pg):
		return describeRefusedLogin(server, pg)
	case errors.As(err, &dns):
		return fmt.Sprintf("the host %q is not known to DNS (%s): see its name in dsn, and which name server this machine asks", server.Host, dns.Err)
	case errors.As(err, &host):
		return fmt.Sprintf("%s has a certificate for other names: write the host's own name in dsn, or sslmode=verify-ca where it is reached by another one (%v)", at, host)
	case errors.As(err, &authority), errors.As(err, &certificate):
		return fmt.Sprintf("the certificate of %s is of an authority that this machine does not know: give its certificate by sslrootcert in dsn (%s)", at, lastPart(text))
	case strings.Contains(text, "server refused TLS"):
		return fmt.Sprintf("%s does not speak TLS, and sslmode demands it: is it Redshift?", at)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens at %s: see the port in dsn, which is %s unless it was changed, and whether the cluster is available", at, defaultPort)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("no answer from %s in time: a security group, a network ACL or the routes of the VPC keep this machine away, the cluster is not publicly accessible, or it is paused", at)
	default:
		return fmt.Sprintf("no connection to %s: %s", at, text)
	}
}

// describeRefusedLogin says why the server lets nobody in.
func describeRefusedLogin(server pgconn.Config, err *pgx.PgError) string {
	text := fmt.Sprintf("%s (SQLSTATE %s)", err.Message, err.Code)
	switch {
	case strings.HasPrefix(err.Code, "28") && server.Login != nil:
		return "the login was refused, with temporary credentials that were asked for just now: is the user there (CREATE USER, or iam.auto_create), and is it the cluster of the credentials? " + text
	case strings.HasPrefix(err.Code, "28"):
		return "the login was refused: see user and password in dsn. " + text
	case err.Code == "3D000":
		return fmt.Sprintf("there is no database %q: see its name in dsn. %s", server.Database, text)
	case strings.HasPrefix(err.Code, "53"):
		return "the cluster takes no more connections now. " + text
	}
	return "the connection was refused. " + text
}

// lastPart returns the innermost cause in an error's text.
func lastPart(text string) string { return text[strings.LastIndex(text, ": ")+len(": "):] }

// saidBy returns what the server says of an error, or the error.
func saidBy(err error) string {
	if err == nil {
		return "the answer has no row"
	}
	return pgconn.Message(err)
}

// describeCopyError says what to do about a COPY that could not read the stage.
func describeCopyError(err error) string {
	err = withoutSignatures(err)
	text := saidBy(err)
	var pg *pgx.PgError
	if errors.As(err, &pg) {
		if report := reportOf(pg); report.context != "" {
			text += ": " + report.context
		}
	}
	lower := strings.ToLower(text)
	for _, hint := range []struct{ has, hint string }{
		{"assume", "attach the role to the cluster or workgroup, and let its trust policy name redshift.amazonaws.com (of a chain, each role the next one)"},
		{"different region", "the bucket has to be in the cluster's region"},
		{"specified endpoint", "the bucket has to be in the cluster's region"},
		{"permanentredirect", "the bucket has to be in the cluster's region"},
		{"accessdenied", "the role needs s3:GetObject on the stage and s3:ListBucket on its bucket, and kms:Decrypt where it is encrypted with a key"},
		{"access denied", "the role needs s3:GetObject on the stage and s3:ListBucket on its bucket, and kms:Decrypt where it is encrypted with a key"},
	} {
		if strings.Contains(lower, hint.has) {
			return text + "; " + hint.hint
		}
	}
	return text
}

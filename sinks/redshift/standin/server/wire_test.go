package server_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/starlift-etl/starlift/sinks/redshift/standin/backend"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/faults"
	"github.com/starlift-etl/starlift/sinks/redshift/standin/server"
)

// raw is a connection without a driver.
type raw struct {
	*pgproto3.Frontend
	t    testing.TB
	conn net.Conn
}

func dial(t testing.TB, dsn string) *raw {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &raw{pgproto3.NewFrontend(conn, conn), t, conn}
}

// greet sends a start-up message and a password, and returns the answer up to the first
// ReadyForQuery, or the error.
func (r *raw) greet(parameters map[string]string) ([]pgproto3.BackendMessage, error) {
	r.t.Helper()
	all := map[string]string{"user": "awsuser"}
	maps.Copy(all, parameters)
	r.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: all})
	return r.until(func(m pgproto3.BackendMessage) {
		if _, ok := m.(*pgproto3.AuthenticationMD5Password); ok {
			r.Send(&pgproto3.PasswordMessage{Password: "md5whatever"})
			if err := r.Flush(); err != nil {
				r.t.Fatal(err)
			}
		}
	})
}

// until sends what is buffered, and returns copies of all messages before ReadyForQuery, or
// an error of the server that is fatal.
func (r *raw) until(each func(pgproto3.BackendMessage)) ([]pgproto3.BackendMessage, error) {
	r.t.Helper()
	if err := r.Flush(); err != nil {
		r.t.Fatal(err)
	}
	var all []pgproto3.BackendMessage
	for {
		m, err := r.Receive()
		if err != nil {
			return all, err
		}
		if each != nil {
			each(m)
		}
		all = append(all, clone(r.t, m))
		switch m := m.(type) {
		case *pgproto3.ReadyForQuery:
			return all, nil
		case *pgproto3.ErrorResponse:
			if m.Severity == "FATAL" {
				return all, pgconn.ErrorResponseToPgError(m)
			}
		}
	}
}

func clone(t testing.TB, m pgproto3.BackendMessage) pgproto3.BackendMessage {
	t.Helper()
	switch m := m.(type) {
	case *pgproto3.DataRow:
		row := &pgproto3.DataRow{}
		for _, v := range m.Values {
			row.Values = append(row.Values, slices.Clone(v))
		}
		return row
	case *pgproto3.ParameterStatus:
		return &pgproto3.ParameterStatus{Name: m.Name, Value: m.Value}
	case *pgproto3.ErrorResponse:
		e := *m
		return &e
	case *pgproto3.CommandComplete:
		return &pgproto3.CommandComplete{CommandTag: slices.Clone(m.CommandTag)}
	case *pgproto3.ReadyForQuery:
		return &pgproto3.ReadyForQuery{TxStatus: m.TxStatus}
	case *pgproto3.RowDescription:
		return &pgproto3.RowDescription{Fields: slices.Clone(m.Fields)}
	case *pgproto3.ParameterDescription:
		return &pgproto3.ParameterDescription{ParameterOIDs: slices.Clone(m.ParameterOIDs)}
	case *pgproto3.BackendKeyData:
		return &pgproto3.BackendKeyData{ProcessID: m.ProcessID, SecretKey: slices.Clone(m.SecretKey)}
	}
	return m
}

// story tells messages in short.
func story(messages []pgproto3.BackendMessage) string {
	var words []string
	for _, m := range messages {
		switch m := m.(type) {
		case *pgproto3.DataRow:
			var values []string
			for _, v := range m.Values {
				values = append(values, string(v))
			}
			words = append(words, "row("+strings.Join(values, "|")+")")
		case *pgproto3.CommandComplete:
			words = append(words, string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			words = append(words, "error("+m.Code+")")
		case *pgproto3.NoticeResponse:
			words = append(words, "notice("+m.Code+")")
		case *pgproto3.ReadyForQuery:
			words = append(words, "ready("+string(m.TxStatus)+")")
		case *pgproto3.ParameterDescription:
			words = append(words, fmt.Sprintf("parameters%v", m.ParameterOIDs))
		case *pgproto3.RowDescription:
			var fields []string
			for _, f := range m.Fields {
				fields = append(fields, fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID))
			}
			words = append(words, "fields("+strings.Join(fields, " ")+")")
		default:
			words = append(words, strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3."))
		}
	}
	return strings.Join(words, " ")
}

// expect sends messages and compares the answer's story.
func (r *raw) expect(want string, messages ...pgproto3.FrontendMessage) {
	r.t.Helper()
	for _, m := range messages {
		r.Send(m)
	}
	got, err := r.until(nil)
	if err != nil {
		r.t.Fatalf("%s: %v", story(got), err)
	}
	if story(got) != want {
		r.t.Errorf("got  %s\nwant %s", story(got), want)
	}
}

func name(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(u.Path, "/")
}

func TestGreeting(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	r := dial(t, dsn)
	messages, err := r.greet(map[string]string{
		"database": name(dsn), "client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": "Europe/Berlin", "extra_float_digits": "2",
		"application_name": "a", "driver_version": "v", "os_version": "o", "client_protocol_version": "3",
		"driver_discovery_version": "1", "plugin_name": "p",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	session := ""
	for _, m := range messages {
		if p, ok := m.(*pgproto3.ParameterStatus); ok {
			if p.Name == "session_id" {
				session = p.Value
				p.Value = "…"
			}
			got = append(got, p.Name+"="+p.Value)
		}
	}
	want := []string{
		"application_name=a", "case_sensitive=on", "client_encoding=UTF8", "datestyle=ISO, MDY", "integer_datetimes=on",
		"is_superuser=on", "server_encoding=UNICODE", "server_version=8.0.2", "session_authorization=awsuser",
		"TimeZone=Europe/Berlin", "timezone_abbreviations=Default", "padb_version=1.0.63269", "padb_revision=Unversioned directory",
		"max_numeric_precision=38", "max_varchar_size=65535", "datashare_enabled=off", "session_id=…", "server_protocol_version=0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("parameters\n%q, want\n%q", got, want)
	}
	key, ok := messages[len(messages)-2].(*pgproto3.BackendKeyData)
	if !ok || fmt.Sprint(key.ProcessID) != session {
		t.Errorf("session %s has the key %+v", session, key)
	}

	plain := dial(t, dsn)
	messages, err = plain.greet(map[string]string{"database": name(dsn)})
	if err != nil {
		t.Fatal(err)
	}
	if told := story(messages); !strings.HasSuffix(told, "BackendKeyData ready(I)") {
		t.Error(told)
	}
	for _, m := range messages {
		if p, ok := m.(*pgproto3.ParameterStatus); ok && (p.Name == "client_encoding" && p.Value != "UNICODE" || p.Name == "application_name" && p.Value != "unset") {
			t.Errorf("without being asked: %s=%s", p.Name, p.Value)
		}
	}
}

func TestGreetingIsRefused(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	for _, c := range []struct{ parameter, value, code, text string }{
		{"IntervalStyle", "iso_8601", "42704", `unrecognized configuration parameter "IntervalStyle"`},
		{"lc_monetary", "C", "42704", `unrecognized configuration parameter "lc_monetary"`},
		{"options", "-c standard_conforming_strings=on", "42704", `unrecognized configuration parameter "standard_conforming_strings"`},
		{"extra_float_digits", "3", "22023", `3 is outside the valid range for parameter "extra_float_digits" (-15 .. 2)`},
		{"database", "nope", "3D000", `database "nope" does not exist`},
		{"user", "careful", "28000", `password authentication failed for user "careful"`},
		{"user", "stranger", "28000", `password authentication failed for user "stranger"`},
		{"client_encoding", "LATIN1", "22023", "client_encoding"},
		{"TimeZone", "Nowhere/Town", "22023", "Nowhere/Town"},
	} {
		parameters := map[string]string{"database": name(dsn)}
		parameters[c.parameter] = c.value
		_, err := dial(t, dsn).greet(parameters)
		e := refused(t, err, c.code, c.text)
		if e.Severity != "FATAL" {
			t.Errorf("%s=%s: %s", c.parameter, c.value, e.Severity)
		}
	}
}

func TestOptionsAtStartup(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	c := connect(t, dsn+"&options=-c%20query_group%3Dmine%20--statement-timeout%3D5000")
	c.want("show query_group", "mine")
	c.want("show statement_timeout", "5000")
	c.run("set query_group to x; reset query_group")
	c.want("show query_group", "mine")
}

func TestPassword(t *testing.T) {
	s := start(t, server.Options{Passwords: map[string]string{"awsuser": "secret"}})
	connect(t, s.DSN("")).want("show session_authorization", "awsuser")
	u, err := url.Parse(s.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("awsuser", "wrong")
	_, err = pgconn.Connect(t.Context(), u.String())
	refused(t, err, "28000", `password authentication failed for user "awsuser"`)
}

func TestTemporaryCredentials(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ login, user string }{
		{"IAMR:loader", "IAMR:loader"}, {"IAMA:maker:etl", "maker"}, {"IAM:maker", "maker"},
	} {
		u.User = url.UserPassword(c.login, "temporary")
		connect(t, u.String()).want("show session_authorization", c.user)
	}
	u.User = url.UserPassword("IAM:nobody", "temporary")
	_, err = pgconn.Connect(t.Context(), u.String())
	refused(t, err, "28000", "password authentication failed")
}

func TestEncryption(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	r := dial(t, dsn)
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.SSLRequest{}, &pgproto3.GSSEncRequest{}} {
		r.Send(m)
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1)
		if _, err := io.ReadFull(r.conn, answer); err != nil || answer[0] != 'N' {
			t.Fatalf("%T: %q, %v", m, answer, err)
		}
	}
	if _, err := r.greet(map[string]string{"database": name(dsn)}); err != nil {
		t.Error(err)
	}

	s := start(t, server.Options{SelfSigned: true})
	c := connect(t, s.DSN(""))
	if _, ok := c.Conn().(*tls.Conn); !ok {
		t.Errorf("the connection is a %T", c.Conn())
	}
	c.want("show query_group", "default")
}

func TestCloseEndsSessions(t *testing.T) {
	s := start(t, server.Options{})
	c := connect(t, s.DSN(""))
	held := connect(t, s.DSN(""))
	held.run("begin")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := c.try("show query_group")
	refused(t, err, "57P01", "terminating connection")
	if _, err := pgconn.Connect(t.Context(), s.DSN("")); err == nil {
		t.Error("a closed server took a connection")
	}
}

// TestLoginFaults: each kind once, and then the login is taken.
func TestLoginFaults(t *testing.T) {
	resumed := make(chan time.Duration, 1)
	s := start(t, server.Options{
		Faults: []faults.Rule{{Kind: faults.Throttle}, {Kind: faults.Expired}, {Kind: faults.Resume}},
		Wait: func(_ context.Context, d time.Duration) error {
			resumed <- d
			return nil
		},
	})
	_, err := pgconn.Connect(t.Context(), s.DSN(""))
	refused(t, err, "53300", "connection limit")
	_, err = pgconn.Connect(t.Context(), s.DSN(""))
	refused(t, err, "28000", "expired")
	connect(t, s.DSN("")).want("show query_group", "default")
	if d := <-resumed; d != time.Minute {
		t.Errorf("a resume took %v", d)
	}
}

func TestProtocolErrors(t *testing.T) {
	dsn := database(t, backend.Snapshot)
	r := dial(t, dsn)
	if _, err := r.greet(map[string]string{"database": name(dsn)}); err != nil {
		t.Fatal(err)
	}
	r.expect("EmptyQueryResponse ready(I)", &pgproto3.Query{String: " ; -- nothing"})
	r.expect("error(42601) ready(I)", &pgproto3.Query{String: "selec"})
	r.expect("error(26000) ready(I)", &pgproto3.Bind{PreparedStatement: "none"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("error(34000) ready(I)", &pgproto3.Execute{Portal: "none"}, &pgproto3.Sync{})
	r.expect("error(42601) ready(I)", &pgproto3.Parse{Query: "begin; commit"}, &pgproto3.Sync{})
	r.expect("ParseComplete BindComplete NoData EmptyQueryResponse CloseComplete ready(I)",
		&pgproto3.Parse{}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'S'}, &pgproto3.Sync{})
	r.expect("ParseComplete parameters[] NoData ready(I)", &pgproto3.Parse{Query: "begin transaction"}, &pgproto3.Describe{ObjectType: 'S'}, &pgproto3.Sync{})
	r.expect("BindComplete BEGIN ready(T)", &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("notice(25001) BEGIN ready(T)", &pgproto3.Query{String: "begin"})
	r.expect("ParseComplete BindComplete error(42704) ready(E)", &pgproto3.Parse{Query: "show nothing"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("error(25P02) ready(E)", &pgproto3.Query{String: "show query_group"})
	r.expect("error(25P02) ready(E)", &pgproto3.Parse{Query: "show query_group"}, &pgproto3.Sync{})
	r.expect("ParseComplete BindComplete ROLLBACK ready(I)", &pgproto3.Parse{Query: "commit"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.expect("notice(25P01) COMMIT ready(I)", &pgproto3.Query{String: "end"})
	r.expect("ParseComplete BindComplete fields(query_group:1043) row(default) SHOW ready(I)",
		&pgproto3.Parse{Query: "show query_group"}, &pgproto3.Bind{}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Sync{})
	r.expect("SET ParameterStatus ready(I)", &pgproto3.Query{String: "set application_name to 'b'"})

	big := "set query_group to '" + strings.Repeat("x", 16<<20) + "'"
	r.Send(&pgproto3.Query{String: big})
	messages, err := r.until(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("Statement is too large. Statement Size: %d bytes. Maximum Allowed: 16777216 bytes", len(big))
	if e, ok := messages[0].(*pgproto3.ErrorResponse); !ok || e.Code != "42601" || e.Message != want {
		t.Errorf("%+v", messages[0])
	}
	r.Send(&pgproto3.Terminate{})
	if _, err := r.until(nil); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// TestGarbage: messages of random types and contents end their session at most.
func TestGarbage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dsn := database(t, backend.Snapshot)
	types, words := []byte("QPBDECSHdcfFpX"), "select 1;()'\"$begin\x00\x01S"
	for range 40 {
		r := greeted(t, dsn)
		var sent []byte
		for range 1 + random.IntN(20) {
			body := make([]byte, random.IntN(40))
			for i := range body {
				body[i] = byte(random.IntN(256))
				if random.IntN(2) == 0 {
					body[i] = words[random.IntN(len(words))]
				}
			}
			sent = append(sent, types[random.IntN(len(types))])
			sent = binary.BigEndian.AppendUint32(sent, uint32(len(body)+4))
			sent = append(sent, body...)
		}
		sent = append(sent, 'X', 0, 0, 0, 4)
		if _, err := r.conn.Write(sent); err != nil {
			continue // it was closed before all was sent
		}
		if _, err := io.Copy(io.Discard, r.conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("%q: %v", sent, err)
		}
	}
	connect(t, dsn).want("select 1", "1")
}

package pgconn

import (
	"testing"
	"time"
)

var elsewhere = Defaults{Port: "5439", SSLMode: "verify-full", ConnectTimeout: 90 * time.Second}

func TestDefaults(t *testing.T) {
	for _, variable := range []string{"PGPORT", "PGSSLMODE", "PGSERVICE", "PGPASSWORD", "PGCONNECT_TIMEOUT"} {
		t.Setenv(variable, "")
	}
	for _, tc := range []struct {
		dsn       string
		port      uint16
		encrypted bool
	}{
		{"postgres://u@h/d", 5439, true},
		{"postgresql://u@h", 5439, true},
		{"postgres://u:p@h:5432/d", 5432, true},
		{"postgres://u:p:q@h/d", 5439, true},
		{"postgres://u@[::1]/d", 5439, true},
		{"postgres://u@[::1]:1/d", 1, true},
		{"postgres://u@h/d?application_name=port", 5439, true},
		{"postgres://u@h/d?port=9&sslmode=disable", 9, false},
		{"postgres://u@h/d?%70ort=9&ssl=true", 9, true},
		{"postgres://u?port=1:p@h/d", 5439, true},
		{"host=h dbname=d", 5439, true},
		{"host=h  port = 5432 sslmode='prefer'", 5432, false},
		{`host=h user='it\'s port=1' password=a\ port=2`, 5439, true},
		{`host=h sslmode=disable user=x\`, 5439, false},
	} {
		cfg, err := ParseWith(tc.dsn, elsewhere)
		if err != nil {
			t.Errorf("%s: %v", tc.dsn, err)
		} else if cfg.Port != tc.port || cfg.Encrypted() != tc.encrypted || cfg.ConnectTimeout != 90*time.Second {
			t.Errorf("%s: port %d, encrypted %v, %v to connect", tc.dsn, cfg.Port, cfg.Encrypted(), cfg.ConnectTimeout)
		}
	}
}

// What libpq makes of a host without a port, beside others with one, stays.
func TestNoDefaultAmongPorts(t *testing.T) {
	t.Setenv("PGPORT", "")
	cfg, err := ParseWith("postgres://u@h,i:7/d", Defaults{Port: "5439"})
	if err != nil || cfg.Canonical() != "h:5432,i:7/d" {
		t.Errorf("%v: %s", err, cfg.Canonical())
	}
}

func TestDefaultsYieldToTheEnvironment(t *testing.T) {
	t.Setenv("PGSERVICE", "")
	t.Setenv("PGPORT", "5555")
	t.Setenv("PGSSLMODE", "disable")
	t.Setenv("PGCONNECT_TIMEOUT", "7")
	for _, dsn := range []string{"postgres://u@h/d", "host=h dbname=d"} {
		cfg, err := ParseWith(dsn, elsewhere)
		if err != nil || cfg.Port != 5555 || cfg.Encrypted() || cfg.ConnectTimeout != 7*time.Second {
			t.Errorf("%s: %v, port %d, encrypted %v, %v to connect", dsn, err, cfg.Port, cfg.Encrypted(), cfg.ConnectTimeout)
		}
	}
}

func TestNames(t *testing.T) {
	t.Setenv("PGPASSWORD", "of the environment")
	for dsn, want := range map[string]bool{
		"postgres://u:p@h/d": true, "postgres://u:@h/d": false, "postgres://u@h/d": false, "postgres://u@h/d?password=x": true, "postgres://h/d:p": false,
		"host=h password=x": true, "host=h user='password=x'": false, "host=h": false,
	} {
		cfg, err := Parse(dsn)
		if err != nil || cfg.Names("password") != want {
			t.Errorf("%s: %v, names a password %v", dsn, err, cfg.Names("password"))
		}
	}
}

func TestIsLocal(t *testing.T) {
	for dsn, want := range map[string]bool{
		"host=127.0.0.1": true, "host=localhost,/tmp": true, "host=::1": true, "host=example.com": false, "host=localhost,example.com": false, "host=10.0.0.1": false,
	} {
		cfg, err := Parse(dsn)
		if err != nil || cfg.IsLocal() != want {
			t.Errorf("%s: %v, local %v", dsn, err, cfg.IsLocal())
		}
	}
}

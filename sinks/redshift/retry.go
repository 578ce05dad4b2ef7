package redshift

import (
	"errors"
	"regexp"
	"strings"

	pgx "github.com/jackc/pgx/v5/pgconn"
)

// Reasons for which a transaction is tried again. Operators see them as the label of
// starlift_retries_total.
const (
	reasonConflict    = "conflict"    // another transaction was faster
	reasonRelation    = "relation"    // a table came or went meanwhile
	reasonCredentials = "credentials" // a temporary password has expired
	reasonResize      = "resize"      // the cluster changes its size, and takes no writes
	reasonServer      = "server"      // it shuts down, starts, or is maintained
	reasonCancelled   = "cancelled"   // a timeout, a rule of workload management, or a person
	reasonResources   = "resources"   // connections, memory or disk are used up
	reasonS3          = "s3"          // S3 is slow, or throttles the cluster
)

// pattern tells an error by its SQLSTATE and its text.
type pattern struct {
	// state is a SQLSTATE, or a class of them, which has two characters; empty = any.
	state string
	// text is looked for in the message and the detail.
	text   *regexp.Regexp
	reason string // empty = time does not heal it
}

// internal is the SQLSTATE of whatever has none of its own: most of what goes wrong on compute
// nodes, and what comes of concurrency.
const internal = "XX000"

func textPattern(state, text, reason string) pattern {
	return pattern{state, regexp.MustCompile(`(?is)` + text), reason}
}

// patterns are what clusters and workgroups say; the first that fits decides. Where a
// SQLSTATE says enough, classReasons has it. Newer releases put an error's identifier behind
// its text (" [ErrorId: 1-…]"), so no pattern goes by a text's end but those that allow it.
//
// Sources: "Troubleshooting serializable isolation errors", "statement_timeout", "WLM query
// monitoring rules" and "S3ServiceException errors" of the Database Developer Guide; else what
// loaders have met and made public.
var patterns = []pattern{
	textPattern(internal, `^1023\b|serializable isolation violation`, reasonConflict),
	textPattern(internal, `conflict with concurrent transaction|by concurrent transaction`, reasonConflict),
	textPattern(internal, `^1018\b|^relation does not exist\.?`, reasonRelation),
	textPattern("", `(could not|cannot) open relation with oid|relation with oid \d+ does not exist`, reasonRelation),
	textPattern("", `system is in resize mode`, reasonResize),
	textPattern("", `system is in [a-z -]*mode|(cluster|system|database) is (being|under|in) (maintenance|recovery)`, reasonServer),
	textPattern("28", `expired`, reasonCredentials),
	textPattern("", `cancell?ed by wlm|cancell?ed on user.?s request|query monitoring rule|system requested abort`, reasonCancelled),
	textPattern("", `connection limit .*exceeded|too many (connections|clients)`, reasonResources),
	textPattern(internal, `disk full|out of memory|insufficient memory|resource temporarily unavailable`, reasonResources),
}

// classReasons are SQLSTATEs, and classes of them, by which an error is known whatever it
// says.
var classReasons = map[string]string{
	"08": "connection", "40": reasonConflict, "53": reasonResources, "57": reasonServer, "57014": reasonCancelled,
	"25006": "read_only", "25P03": "connection", "55P03": "lock", "58000": reasonServer, "58030": reasonServer, "57P04": "",
}

// COPY and Spectrum tell of S3 by a text: what the object or the rights are to blame for stays
// as it is, whatever else the text holds.
var (
	aboutS3 = regexp.MustCompile(`(?i)s3serviceexception|s3 ?query exception|spectrum|s3 bucket|amazonaws\.com|dory_util`)
	s3Stays = regexp.MustCompile(`(?i)(status|code:?|error) ?(400|401|403|404|405|411|416)\b|access ?denied|forbidden|nosuch|not exist|invalidrange|invalidaccesskey|signaturedoesnotmatch|permanentredirect|` +
		`assume|incompatible parquet|invalid type|invalid version|unmatched number|the length of the data column|not authorized`)
	s3Heals = regexp.MustCompile(`(?i)slow ?down|reduce your request rate|(status|code:?|error) ?(408|429|5\d\d)\b|internalerror|internal error|serviceunavailable|service unavailable|` +
		`requesttimeout|timed? ?out|retries exceeded|connection (failed|reset|refused|closed)|temporarily unavailable|throttl`)
)

// errorID is what newer releases put behind a message.
var errorID = regexp.MustCompile(`\s*\[ErrorId: [^\]]*\]\s*$`)

// serverText returns what a server has said, in one text.
func serverText(e *pgx.PgError) string {
	return strings.TrimSpace(strings.TrimPrefix(errorID.ReplaceAllString(e.Message, ""), "ERROR:")) + "\n" + e.Detail
}

// retryReason names the reason why the same may succeed later, where the server has said
// something; empty = it won't. known says that the server has. It is the Reason of a
// pgconn.Client.
func retryReason(err error) (reason string, known bool) {
	var server *pgx.PgError
	if !errors.As(err, &server) {
		return "", false
	}
	text := serverText(server)
	if aboutS3.MatchString(text) {
		switch {
		case s3Stays.MatchString(text):
			return "", true
		case s3Heals.MatchString(text):
			return reasonS3, true
		}
	}
	for _, p := range patterns {
		if strings.HasPrefix(server.Code, p.state) && p.text.MatchString(text) {
			return p.reason, true
		}
	}
	if reason, listed := classReasons[server.Code]; listed {
		return reason, true
	}
	return classReasons[server.Code[:min(2, len(server.Code))]], true
}

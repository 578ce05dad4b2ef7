// Package settings holds the configuration parameters of a session: which there are, what
// they may be set to, and what they are in and after a transaction.
//
// The parameters are those of the Database Developer Guide's configuration reference,
// those of PostgreSQL 8.0 that clients of Redshift are known to ask for, and those that a
// server reports at start-up. Any other is refused, as Redshift does: lock_timeout,
// IntervalStyle or standard_conforming_strings came to PostgreSQL later, or not to
// Redshift.
package settings

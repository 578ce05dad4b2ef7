// Package object reads and writes S3 as Redshift does: prefixes are listed, objects are
// read whole, and what S3 refuses is told in the words of Redshift's S3 client.
package object

// Package draft writes a pipeline file from a sample of records (Write), for people to go on with.
//
// Read finds out what the records are and takes items out of them. These are grouped into
// entities: by an attribute that says what an item is, else by the shapes of their keys, as
// USER#*. Of each entity every attribute becomes a column, with the type that all of its values
// fit; members of maps that are alike in all items become columns, lists of maps become tables of
// their own, and a column that the key alone has is cut out of it.
//
// All of it is guessed from what the sample has, so the file says in comments how often a value
// is there, and what was taken for what. Where two readings are as likely, as of a date that may
// begin with the day or the month, the column stays a text, and the comment says so.
package draft

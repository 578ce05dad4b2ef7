// Package backend is the PostgreSQL behind the stand-in: a private server, databases that
// look like Redshift's from within, and the connections of sessions.
//
// PostgreSQL is Redshift's ancestor, so snapshots, transactional DDL, temporary tables, types
// and rights come from it. What Redshift has besides lies in the schema rs of each database,
// which is made of the files in sql once, in a template, and copied with it:
//
//   - types: SUPER, VARBYTE, GEOMETRY, GEOGRAPHY and HLLSKETCH are types of their own, and not
//     domains, since a result shows a domain as the type below it and a domain takes all of
//     that type's operators and casts. VARCHAR and CHAR are PostgreSQL's with lengths in bytes:
//     the cast that keeps a length is another one in these databases;
//   - metadata: what PostgreSQL has no place for (distribution and sort keys, encodings,
//     identities, keys that nobody enforces, late-binding views), in tables by the relation's
//     oid, written in the transaction of the DDL and so undone with it. What is dropped is
//     forgotten by an event trigger;
//   - functions: Redshift's function f is rs.f, where PostgreSQL has none or another one;
//   - the catalog: Redshift's views, by their names, with its columns and no others.
//
// Nobody's search path has rs, and a client's SQL never comes here as it is written: the
// translation names what it means. Sessions are REPEATABLE READ; locks between them are not
// PostgreSQL's affair but those of package locks.
//
// A user is a role of the same name, a group the role "group:" and its name, and one of
// Redshift's roles "role:" and its name.
package backend

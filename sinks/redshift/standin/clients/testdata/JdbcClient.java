import java.math.BigDecimal;
import java.sql.*;
import java.util.*;

/** Amazon's JDBC driver: its acceptance statements, its metadata, batches and cursors. Each check is a line, as checks.py has it. */
public class JdbcClient {
    interface Block { Object run() throws Exception; }

    static String bucket = System.getenv("STANDIN_BUCKET");
    static String database = System.getenv("STANDIN_DATABASE");
    static String role = "arn:aws:iam::123456789012:role/copy";
    static Connection db;

    static void report(String name, String wrong) {
        System.out.println("{\"check\": " + quote(name) + ", \"wrong\": " + quote(wrong) + "}");
    }

    static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') b.append('\\').append(c);
            else if (c < ' ') b.append(String.format("\\u%04x", (int) c));
            else b.append(c);
        }
        return b.append('"').toString();
    }

    static void check(String name, Object want, Block f) {
        try {
            Object got = f.run();
            boolean same = got == null ? want == null : want != null && got.getClass() == want.getClass() && got.equals(want);
            report(name, same ? "" : "got " + show(got) + ", want " + show(want));
        } catch (Exception e) {
            report(name, e.toString());
        }
    }

    static String show(Object o) { return o == null ? "null" : o.getClass().getSimpleName() + " " + o; }

    static void refused(String name, String state, String text, Block f) {
        try {
            report(name, "is taken, and answers " + show(f.run()));
        } catch (SQLException e) {
            if (state != null && !state.equals(e.getSQLState())) report(name, "SQLSTATE " + e.getSQLState() + ", want " + state + ": " + e.getMessage());
            else if (!String.valueOf(e.getMessage()).contains(text)) report(name, e.getMessage() + " lacks " + text);
            else report(name, "");
        } catch (Exception e) {
            report(name, e.toString());
        }
    }

    static void part(String name, Block f) {
        try { f.run(); } catch (Exception e) {
            StackTraceElement[] at = e.getStackTrace();
            String where = "";
            for (StackTraceElement s : at) if (s.getClassName().equals("JdbcClient")) { where = " at line " + s.getLineNumber(); break; }
            report(name, e + where);
        }
    }

    static boolean run(String sql) throws SQLException {
        try (Statement s = db.createStatement()) { return s.execute(sql); }
    }

    /** The rows of an answer, values as getObject gives them. */
    static List<List<Object>> rows(ResultSet r, String... columns) throws SQLException {
        List<List<Object>> all = new ArrayList<>();
        while (r.next()) {
            List<Object> row = new ArrayList<>();
            if (columns.length == 0) for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) row.add(r.getObject(i));
            for (String c : columns) row.add(r.getObject(c));
            all.add(row);
        }
        r.close();
        return all;
    }

    static List<List<Object>> query(String sql) throws SQLException {
        try (Statement s = db.createStatement()) { return rows(s.executeQuery(sql)); }
    }

    static Object one(String sql) throws SQLException {
        List<List<Object>> r = query(sql);
        if (r.size() != 1 || r.get(0).size() != 1) throw new SQLException(sql + ": " + r + " is not one value");
        return r.get(0).get(0);
    }

    static List<Object> list(Object... o) { return new ArrayList<>(Arrays.asList(o)); }

    static Connection connect(String name, String... more) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", System.getenv("STANDIN_USER"));
        p.setProperty("password", System.getenv("STANDIN_PASSWORD"));
        p.setProperty("ssl", "false");
        for (int i = 0; i < more.length; i += 2) p.setProperty(more[i], more[i + 1]);
        return DriverManager.getConnection("jdbc:redshift://" + System.getenv("STANDIN_HOST") + ":" + System.getenv("STANDIN_PORT") + "/" + name, p);
    }

    public static void main(String[] args) throws Exception {
        db = connect(database, "ApplicationName", "jdbc");
        part("session", JdbcClient::session);
        part("transactions", JdbcClient::transactions);
        part("types", JdbcClient::types);
        part("statements", JdbcClient::statements);
        part("metadata", JdbcClient::metadata);
        part("errors", JdbcClient::errors);
        part("loads", JdbcClient::loads);
        db.close();
        System.out.println("done");
    }

    static Object session() throws Exception {
        check("isValid", true, () -> db.isValid(10));
        check("product", list("Redshift", "8.0.2"), () -> list(db.getMetaData().getDatabaseProductName(), db.getMetaData().getDatabaseProductVersion()));
        check("ApplicationName", "jdbc", () -> one("show application_name"));
        check("extra_float_digits", "2", () -> one("show extra_float_digits"));
        check("schema", "public", () -> db.getSchema());
        check("catalog", database, () -> db.getCatalog());
        check("isolation", Connection.TRANSACTION_SERIALIZABLE, () -> db.getTransactionIsolation());
        check("read only", false, () -> db.isReadOnly());
        check("1 as id", list(list(1)), () -> query("select 1 as id"));
        run("SET query_group TO 'jdbc'");
        check("query_group", "jdbc", () -> one("select current_setting('query_group')"));
        db.setClientInfo("ApplicationName", "again");
        check("setClientInfo", "again", () -> one("show application_name"));
        refused("another database", "3D000", "database \"nope\" does not exist", () -> connect("nope"));
        return null;
    }

    static Object transactions() throws Exception {
        run("create table j_tx (id int)");
        db.setAutoCommit(false);
        run("insert into j_tx values (1)");
        db.rollback();
        check("rollback", 0L, () -> one("select count(*) from j_tx"));
        run("insert into j_tx values (1)");
        db.commit();
        refused("an error", "42P01", "relation \"nowhere\" does not exist", () -> query("select * from nowhere"));
        refused("after an error", "25P02", "current transaction is aborted", () -> query("select 1"));
        db.rollback();
        refused("VACUUM in a transaction", "25001", "VACUUM cannot run inside a transaction block", () -> run("select 1; vacuum j_tx"));
        db.rollback();
        refused("a savepoint", null, "", () -> db.setSavepoint("s"));
        db.rollback();
        // A cursor, by portions of the portal.
        run("create table j_many (id int)");
        try (PreparedStatement s = db.prepareStatement("insert into j_many values (?)")) {
            for (int i = 0; i < 500; i++) { s.setInt(1, i); s.addBatch(); }
            check("batch", 500, () -> Arrays.stream(s.executeBatch()).map(Math::abs).sum() > 0 ? 500 : 0);
        }
        try (Statement s = db.createStatement()) {
            s.setFetchSize(64);
            check("fetch size", 500, () -> rows(s.executeQuery("select id from j_many order by id")).size());
            s.setMaxRows(7);
            check("max rows", 7, () -> rows(s.executeQuery("select id from j_many order by id")).size());
        }
        db.commit();
        check("rows of the batch", 124750L, () -> one("select sum(id) from j_many"));
        db.setAutoCommit(true);
        return null;
    }

    static Object types() throws Exception {
        run("create table j_types (s smallint, i int, b bigint, r real, d double precision, n decimal(20,5), t boolean, c char(5), v varchar(300),"
            + " da date, ts timestamp, doc super, vb varbyte(10))");
        run("insert into j_types values (-7, 8, -9223372036854775808, 1.5, 2.25, 123456789012345.67891, true, 'ab', 'grüße\\\\x', '2024-02-29', '2024-02-29 12:34:56.123456',"
            + " json_parse('{\"a\":[1,2.50]}'), to_varbyte('616263','hex'))");
        try (Statement s = db.createStatement(); ResultSet r = s.executeQuery("select * from j_types")) {
            ResultSetMetaData m = r.getMetaData();
            StringBuilder b = new StringBuilder();
            for (int i = 1; i <= m.getColumnCount(); i++) b.append(m.getColumnName(i)).append(' ').append(m.getColumnTypeName(i)).append(i > 11 ? "" : " " + m.getPrecision(i) + "," + m.getScale(i)).append("; ");
            check("columns", "s int2 5,0; i int4 10,0; b int8 19,0; r float4 8,8; d float8 17,17; n numeric 20,5; t bool 1,0; c bpchar 5,0; v varchar 300,0; da date 13,0; ts timestamp 29,6; doc super; vb varbyte; ", b::toString);
            r.next();
            check("numbers", list((short) -7, 8, Long.MIN_VALUE, 1.5f, 2.25d, new BigDecimal("123456789012345.67891"), true),
                () -> list(r.getShort("s"), r.getInt("i"), r.getLong("b"), r.getFloat("r"), r.getDouble("d"), r.getBigDecimal("n"), r.getBoolean("t")));
            check("texts", list("ab   ", "grüße\\x", "{\"a\":[1,2.50]}", "616263"), () -> list(r.getString("c"), r.getString("v"), r.getString("doc"), r.getString("vb")));
            check("times", list("2024-02-29", "2024-02-29 12:34:56.123456"), () -> list(r.getString("da"), r.getTimestamp("ts").toString()));
        }
        return null;
    }

    static Object statements() throws Exception {
        run("create table j_par (id int, v varchar(100), n decimal(18,4), ts timestamp, b boolean)");
        try (PreparedStatement s = db.prepareStatement("insert into j_par values (?, ?, ?, ?, ?)")) {
            check("parameters", 5, () -> s.getParameterMetaData().getParameterCount());
            s.setInt(1, 1); s.setString(2, "it's \\ ünï \"x\""); s.setBigDecimal(3, new BigDecimal("12345678901234.5678"));
            s.setTimestamp(4, Timestamp.valueOf("2020-01-02 03:04:05.678901")); s.setBoolean(5, true);
            check("insert", 1, s::executeUpdate);
            s.setInt(1, 2); s.setNull(2, Types.VARCHAR); s.setNull(3, Types.DECIMAL); s.setNull(4, Types.TIMESTAMP); s.setNull(5, Types.BOOLEAN);
            check("insert nulls", 1, s::executeUpdate);
        }
        check("rows", list(list(1, "it's \\ ünï \"x\"", new BigDecimal("12345678901234.5678"), Timestamp.valueOf("2020-01-02 03:04:05.678901"), true), list(2, null, null, null, null)),
            () -> query("select * from j_par order by id"));
        try (PreparedStatement s = db.prepareStatement("select id from j_par where v = ? and id < ?")) {
            s.setString(1, "it's \\ ünï \"x\""); s.setLong(2, 100);
            check("compare", list(list(1)), () -> rows(s.executeQuery()));
        }
        // The same statement often enough that the driver keeps it by a name.
        try (PreparedStatement s = db.prepareStatement("select ? + id from j_par where id = 1")) {
            int sum = 0;
            for (int i = 0; i < 12; i++) {
                s.setInt(1, i);
                try (ResultSet r = s.executeQuery()) { r.next(); sum += r.getInt(1); }
            }
            int found = sum;
            check("prepared", 78, () -> found);
        }
        try (Statement s = db.createStatement()) {
            s.addBatch("insert into j_par (id) values (10)");
            s.addBatch("update j_par set v = 'x' where id >= 2");
            check("batch of statements", "[1, 2]", () -> Arrays.toString(s.executeBatch()));
            s.execute("select 1 as a; select 2 as b, 3 as c");
            check("first answer", list(list(1)), () -> rows(s.getResultSet()));
            check("more answers", true, s::getMoreResults);
            check("second answer", list(list(2, 3)), () -> rows(s.getResultSet()));
        }
        return null;
    }

    static Object metadata() throws Exception {
        run("create schema jm");
        run("create table jm.facts (id bigint not null, name varchar(20) default 'x', amount decimal(10,2), at timestamp, primary key (id))");
        run("create table jm.lines (no int generated by default as identity(1,1), fact bigint references jm.facts (id))");
        run("create view jm.bound as select id from jm.facts");
        run("create view jm.late as select id, name from jm.facts with no schema binding");
        DatabaseMetaData m = db.getMetaData();
        check("getTables", list(list("jm", "facts", "TABLE"), list("jm", "lines", "TABLE"), list("jm", "bound", "VIEW"), list("jm", "late", "VIEW")),
            () -> rows(m.getTables(null, "jm", "%", new String[] {"TABLE", "VIEW"}), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE"));
        check("getColumns", list(list("id", -5, "int8", 0), list("name", 12, "varchar", 1), list("amount", 2, "numeric", 1), list("at", 93, "timestamp", 1)), () -> {
            List<List<Object>> all = new ArrayList<>();
            try (ResultSet r = m.getColumns(null, "jm", "facts", "%")) {
                while (r.next()) all.add(list(r.getString("COLUMN_NAME"), r.getInt("DATA_TYPE"), r.getString("TYPE_NAME"), r.getInt("NULLABLE")));
            }
            return all;
        });
        check("getColumns sizes", list(list("id", 19, 0), list("name", 20, 0), list("amount", 10, 2), list("at", 29, 6)), () -> {
            List<List<Object>> all = new ArrayList<>();
            try (ResultSet r = m.getColumns(null, "jm", "facts", "%")) {
                while (r.next()) all.add(list(r.getString("COLUMN_NAME"), r.getInt("COLUMN_SIZE"), r.getInt("DECIMAL_DIGITS")));
            }
            return all;
        });
        check("identity", "YES", () -> { try (ResultSet r = m.getColumns(null, "jm", "lines", "no")) { r.next(); return r.getString("IS_AUTOINCREMENT"); } });
        check("columns of a late-binding view", list("id", "name"), () -> {
            List<Object> all = new ArrayList<>();
            try (ResultSet r = m.getColumns(null, "jm", "late", "%")) { while (r.next()) all.add(r.getString("COLUMN_NAME")); }
            return all;
        });
        check("getPrimaryKeys", list(list("facts", "id")), () -> rows(m.getPrimaryKeys(null, "jm", "facts"), "TABLE_NAME", "COLUMN_NAME"));
        check("getImportedKeys", list(list("facts", "id", "lines", "fact")), () -> rows(m.getImportedKeys(null, "jm", "lines"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME"));
        check("getSchemas", true, () -> rows(m.getSchemas(), "TABLE_SCHEM").contains(list("jm")));
        check("getCatalogs", true, () -> rows(m.getCatalogs(), "TABLE_CAT").contains(list(database)));
        check("getTypeInfo", true, () -> rows(m.getTypeInfo(), "TYPE_NAME").contains(list("super")));
        check("getIndexInfo", 0, () -> rows(m.getIndexInfo(null, "jm", "facts", false, true)).size());
        check("getTablePrivileges", true, () -> rows(m.getTablePrivileges(null, "jm", "facts"), "PRIVILEGE").contains(list("SELECT")));
        check("getProcedures", 0, () -> rows(m.getProcedures(null, "jm", "%")).size());
        check("getFunctions", 0, () -> rows(m.getFunctions(null, "jm", "%")).size());
        return null;
    }

    static Object errors() throws Exception {
        run("create table j_err (id int not null, v varchar(5))");
        refused("no such column", "42703", "", () -> query("select nothing from j_err"));
        refused("a syntax error", "42601", "syntax error at or near \"selec\"", () -> query("selec 1"));
        refused("too long", "22001", "value too long for type character varying(5)", () -> run("insert into j_err values (1, 'ééé')"));
        refused("not null", "XX000", "Cannot insert a NULL value into column id", () -> run("insert into j_err values (null, 'a')"));
        refused("ON CONFLICT", "42601", "", () -> run("insert into j_err values (1, 'a') on conflict do nothing"));
        refused("set of an unknown parameter", "42704", "unrecognized configuration parameter", () -> run("set lock_timeout = 1"));
        return null;
    }

    static Object loads() throws Exception {
        String path = "s3://" + bucket + "/jdbc/" + database + "/";
        run("create table j_load (id bigint, name varchar(20))");
        run("insert into j_load values (1, 'a'), (2, null)");
        run("UNLOAD ('SELECT * FROM j_load') TO '" + path + "' IAM_ROLE '" + role + "' ALLOWOVERWRITE FORMAT PARQUET");
        try (PreparedStatement s = db.prepareStatement("COPY j_load (\"id\",\"name\") FROM '" + path + "' IAM_ROLE '" + role + "' FORMAT AS PARQUET")) {
            s.execute();
            String said = "";
            for (SQLWarning w = s.getWarnings(); w != null; w = w.getNextWarning()) said += w.getMessage();
            String warned = said;
            check("its message", true, () -> warned.contains("Load into table 'j_load' completed, 2 record(s) loaded successfully."));
        }
        check("rows loaded", 4L, () -> one("select count(*) from j_load"));
        check("pg_last_copy_count", 2L, () -> one("select pg_last_copy_count()"));
        return null;
    }
}

-- TLS sessions with receiving domains, counted by day (UTC, days since 1970), and which days were reported (RFC 8460).

CREATE TABLE tls_session (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    policy TEXT NOT NULL,
    failure TEXT NOT NULL,
    host TEXT NOT NULL,
    local TEXT NOT NULL,
    stated TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY (day, domain, policy, failure, host, local)
) STRICT, WITHOUT ROWID;

CREATE TABLE tls_report (
    day INTEGER NOT NULL,
    domain TEXT NOT NULL,
    claimed INTEGER NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (day, domain)
) STRICT, WITHOUT ROWID;

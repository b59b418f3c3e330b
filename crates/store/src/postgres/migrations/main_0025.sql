-- TLS sessions with receiving domains, counted by day (UTC, days since 1970), and which days were reported (RFC 8460).

CREATE TABLE tls_session (
    day BIGINT NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    failure TEXT COLLATE "C" NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    local TEXT COLLATE "C" NOT NULL,
    stated TEXT COLLATE "C" NOT NULL,
    sessions BIGINT NOT NULL,
    PRIMARY KEY (day, domain, policy, failure, host, local)
);

CREATE TABLE tls_report (
    day BIGINT NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    claimed BIGINT NOT NULL,
    done BIGINT NOT NULL,
    PRIMARY KEY (day, domain)
);

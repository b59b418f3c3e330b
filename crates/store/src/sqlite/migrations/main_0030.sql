-- What other systems reported of their TLS sessions with domains of a controller (RFC 8460). `report` names the report.

CREATE TABLE tls_reported (
    controller INTEGER NOT NULL,
    report BLOB NOT NULL,
    domain TEXT NOT NULL,
    policy TEXT NOT NULL,
    failure TEXT NOT NULL,
    day INTEGER NOT NULL,
    submitter TEXT NOT NULL,
    sessions INTEGER NOT NULL,
    PRIMARY KEY (controller, report, domain, policy, failure)
) STRICT, WITHOUT ROWID;

CREATE INDEX tls_reported_newest ON tls_reported (controller, day);
CREATE INDEX tls_reported_day ON tls_reported (day);

-- What other systems reported of their TLS sessions with domains of a controller (RFC 8460). `report` names the report.

CREATE TABLE tls_reported (
    controller BIGINT NOT NULL,
    report BYTEA NOT NULL,
    domain TEXT COLLATE "C" NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    failure TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    submitter TEXT COLLATE "C" NOT NULL,
    sessions BIGINT NOT NULL,
    PRIMARY KEY (controller, report, domain, policy, failure)
);

CREATE INDEX tls_reported_newest ON tls_reported (controller, day);
CREATE INDEX tls_reported_day ON tls_reported (day);

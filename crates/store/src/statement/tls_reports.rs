//! Statements of TLS sessions counted by day, and of the reports about them. Both engines run them through the general
//! verbs. No controller's: how the platform's connections fare is the operator's matter. Then those of what others
//! reported, which is the matter of the controller whose domain it is about.

use super::statements;

statements! { TLS_REPORTS:
    /// Sessions more of one kind. A domain has at most so many kinds a day.
    TLS_SESSION_ADD(9) = "INSERT INTO tls_session (day, domain, policy, failure, host, local, stated, sessions) \
        SELECT CAST(?1 AS BIGINT), CAST(?2 AS TEXT), CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS TEXT), \
        CAST(?6 AS TEXT), CAST(?7 AS TEXT), CAST(?8 AS BIGINT) \
        WHERE (SELECT COUNT(*) FROM tls_session WHERE day = ?1 AND domain = ?2) < CAST(?9 AS BIGINT) \
        OR EXISTS (SELECT 1 FROM tls_session WHERE day = ?1 AND domain = ?2 AND policy = ?3 AND failure = ?4 \
        AND host = ?5 AND local = ?6) \
        ON CONFLICT (day, domain, policy, failure, host, local) \
        DO UPDATE SET sessions = tls_session.sessions + excluded.sessions";
    /// Domains with sessions on a day that nobody has reported, nor is about to.
    TLS_REPORTS_OPEN(4) = "SELECT DISTINCT domain FROM tls_session WHERE day = ?1 AND domain > ?3 AND NOT EXISTS \
        (SELECT 1 FROM tls_report WHERE tls_report.day = tls_session.day AND tls_report.domain = tls_session.domain \
        AND (tls_report.done = 1 OR tls_report.claimed > ?2)) ORDER BY domain LIMIT ?4";
    /// What there was with a domain on a day.
    TLS_SESSIONS(3) = "SELECT policy, failure, host, local, stated, sessions FROM tls_session \
        WHERE day = ?1 AND domain = ?2 ORDER BY policy, failure, host, local LIMIT ?3";
    /// Whoever touches a row makes the report until `claimed`.
    TLS_REPORT_CLAIM(4) = "INSERT INTO tls_report (day, domain, claimed, done) VALUES (?1, ?2, ?3, 0) \
        ON CONFLICT (day, domain) DO UPDATE SET claimed = excluded.claimed \
        WHERE tls_report.done = 0 AND tls_report.claimed <= ?4";
    /// It is made, or nobody asked for it.
    TLS_REPORT_DONE(2) = "UPDATE tls_report SET done = 1 WHERE day = ?1 AND domain = ?2";
    /// Sessions of days that are not reported any more.
    TLS_SESSIONS_FORGET(1) = "DELETE FROM tls_session WHERE day < ?1";
    /// Reports of such days.
    TLS_REPORTS_FORGET(1) = "DELETE FROM tls_report WHERE day < ?1";

    /// Was this report taken in?
    TLS_REPORTED_KNOWN(2) = "SELECT COUNT(*) FROM tls_reported WHERE controller = ?1 AND report = ?2";
    /// What a report says of one kind of sessions, once. A controller has at most so many rows of a day.
    TLS_REPORTED_ADD(9) = "INSERT INTO tls_reported \
        (controller, report, domain, policy, failure, day, submitter, sessions) \
        SELECT CAST(?1 AS BIGINT), ?2, CAST(?3 AS TEXT), CAST(?4 AS TEXT), CAST(?5 AS TEXT), CAST(?6 AS BIGINT), \
        CAST(?7 AS TEXT), CAST(?8 AS BIGINT) \
        WHERE (SELECT COUNT(*) FROM tls_reported WHERE controller = ?1 AND day = ?6) < CAST(?9 AS BIGINT) \
        ON CONFLICT (controller, report, domain, policy, failure) DO NOTHING";
    /// What is beyond the newest so many of a controller goes, a slice at a time.
    TLS_REPORTED_BOUND(3) = "DELETE FROM tls_reported WHERE (controller, report, domain, policy, failure) IN \
        (SELECT old.controller, old.report, old.domain, old.policy, old.failure FROM tls_reported AS old \
        WHERE old.controller = ?1 ORDER BY old.day DESC, old.report, old.domain, old.policy, old.failure \
        LIMIT ?3 OFFSET ?2)";
    /// What was reported of a domain and the name to which its failures return, the newest days first.
    TLS_REPORTED(4) = "SELECT day, domain, submitter, policy, failure, CAST(SUM(sessions) AS BIGINT) \
        FROM tls_reported WHERE controller = ?1 AND domain IN (?2, ?3) \
        GROUP BY day, domain, submitter, policy, failure \
        ORDER BY day DESC, domain, submitter, policy, failure LIMIT ?4";
    /// What was kept for its time, a slice at a time.
    TLS_REPORTED_FORGET(2) = "DELETE FROM tls_reported WHERE (controller, report, domain, policy, failure) IN \
        (SELECT old.controller, old.report, old.domain, old.policy, old.failure FROM tls_reported AS old \
        WHERE old.day < ?1 ORDER BY old.day LIMIT ?2)";
}

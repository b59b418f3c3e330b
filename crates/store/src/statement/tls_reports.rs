//! Statements of TLS sessions counted by day, and of the reports about them. Both engines run them through the general
//! verbs. No controller's: how the platform's connections fare is the operator's matter.

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
}

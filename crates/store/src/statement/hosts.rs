//! Statements of host names and their certificates. Both engines run them through the general verbs. Those without a
//! controller are the node's own rounds over all names that are served, as delivery's are over the queue. Served is
//! what is in force (`verified`), and what was and is retired (`retired`).

use super::statements;

statements! { HOSTS_TEXTS:
    /// A controller claims a name, as long as he has not claimed too many.
    HOST_INSERT(6) = "INSERT INTO host (id, controller, name, token, made, verified, checked, missing, due, fault, \
        revision, order_due, failures, order_fault) SELECT ?1, ?2, ?3, ?4, ?5, NULL, NULL, NULL, ?5, '', 0, ?5, 0, '' \
        WHERE (SELECT COUNT(*) FROM host WHERE controller = ?2) < ?6";
    /// A controller's names.
    HOSTS(2) = "SELECT id, name, token, made, verified, checked, missing, fault, order_due, failures, order_fault, \
        starts, ends, retired FROM host WHERE controller = ?1 ORDER BY id LIMIT ?2";
    /// One of them.
    HOST(2) = "SELECT id, name, token, made, verified, checked, missing, fault, order_due, failures, order_fault, \
        starts, ends, retired FROM host WHERE controller = ?1 AND id = ?2";
    /// Whose a name is now.
    HOST_HOLDER(1) = "SELECT controller FROM host WHERE name = ?1 AND verified IS NOT NULL";
    /// The name is his: its record was there. A certificate is ordered at once, unless one is left of a former time.
    HOST_VERIFY(4) = "UPDATE host SET verified = ?3, checked = ?3, missing = NULL, retired = NULL, due = ?4, \
        fault = '', order_due = CASE WHEN chain IS NULL THEN ?3 ELSE order_due END, failures = 0, order_fault = '' \
        WHERE controller = ?1 AND id = ?2 AND verified IS NULL \
        AND NOT EXISTS (SELECT 1 FROM host AS other WHERE other.name = host.name AND other.verified IS NOT NULL)";
    /// The record of a name in force is still there; what could not be ordered is tried again by a moment.
    HOST_SEEN(5) = "UPDATE host SET checked = ?3, missing = NULL, due = ?4, fault = '', \
        order_due = CASE WHEN failures > 0 AND order_due > ?5 THEN ?5 ELSE order_due END \
        WHERE controller = ?1 AND id = ?2 AND verified IS NOT NULL";
    /// It was looked for and not found; when it was missed first stays.
    HOST_MISSED(5) = "UPDATE host SET checked = ?3, missing = COALESCE(missing, ?3), due = ?4, fault = ?5 \
        WHERE controller = ?1 AND id = ?2";
    /// DNS said nothing.
    HOST_UNKNOWN(4) = "UPDATE host SET due = ?3, fault = ?4 WHERE controller = ?1 AND id = ?2";
    /// Missed for too long: no longer in force, and retired if links may have led there.
    HOST_LAPSE(4) = "UPDATE host SET retired = CASE WHEN chain IS NULL THEN retired ELSE ?3 END, verified = NULL, \
        checked = ?3, fault = ?4, challenge = NULL, answer = NULL \
        WHERE controller = ?1 AND id = ?2 AND verified IS NOT NULL";
    /// Given up before it had a certificate: no link ever led there.
    HOST_DELETE(2) = "DELETE FROM host WHERE controller = ?1 AND id = ?2 AND chain IS NULL AND retired IS NULL";
    /// Given up after that.
    HOST_RETIRE(3) = "UPDATE host SET retired = ?3, verified = NULL, missing = NULL, fault = '' \
        WHERE controller = ?1 AND id = ?2 AND verified IS NOT NULL";
    /// Names that have been retired since a moment, or that somebody else proved meanwhile (then 1, else 0).
    HOSTS_OVER(2) = "SELECT id, controller, name, retired, (SELECT COUNT(*) FROM host AS other \
        WHERE other.name = host.name AND other.verified IS NOT NULL) FROM host WHERE retired IS NOT NULL \
        AND (retired <= ?1 OR EXISTS (SELECT 1 FROM host AS other WHERE other.name = host.name \
        AND other.verified IS NOT NULL)) ORDER BY id LIMIT ?2";
    /// One of them is forgotten, with its certificate and key.
    HOST_FORGET(3) = "DELETE FROM host WHERE controller = ?1 AND id = ?2 AND retired = ?3";

    /// Names that are served, above an id.
    HOSTS_SERVED(2) = "SELECT id, controller, name, revision, retired FROM host \
        WHERE (verified IS NOT NULL OR retired IS NOT NULL) AND id > ?1 ORDER BY id LIMIT ?2";
    /// The certificate of a name.
    HOST_CERTIFICATE(2) = "SELECT revision, starts, ends, chain, sealed FROM host WHERE controller = ?1 AND id = ?2 \
        AND chain IS NOT NULL";
    /// Names in force whose record is to be looked for.
    HOSTS_DUE(2) = "SELECT id, controller, name, token, missing, due FROM host WHERE verified IS NOT NULL \
        AND due <= ?1 ORDER BY due, id LIMIT ?2";
    /// Names that are served and for which a certificate is to be ordered.
    HOST_ORDERS_DUE(2) = "SELECT id, controller, name, failures, order_due FROM host \
        WHERE (verified IS NOT NULL OR retired IS NOT NULL) AND order_due <= ?1 ORDER BY order_due, id LIMIT ?2";
    /// One node looks, unless another was quicker.
    HOST_LOOK(4) = "UPDATE host SET due = ?4 WHERE controller = ?1 AND id = ?2 AND due = ?3 AND verified IS NOT NULL";
    /// One node orders, unless another was quicker.
    HOST_ORDER(4) = "UPDATE host SET order_due = ?4 WHERE controller = ?1 AND id = ?2 AND order_due = ?3 \
        AND (verified IS NOT NULL OR retired IS NOT NULL)";
    /// What the authority will ask for, and what it is answered (RFC 8555 §8.3).
    HOST_CHALLENGE(4) = "UPDATE host SET challenge = ?3, answer = ?4 WHERE controller = ?1 AND id = ?2 \
        AND (verified IS NOT NULL OR retired IS NOT NULL)";
    /// The answer to what an authority asks for on a name: to anybody, as the authority says not who it is.
    HOST_ANSWER(2) = "SELECT answer FROM host WHERE name = ?1 AND challenge = ?2 \
        AND (verified IS NOT NULL OR retired IS NOT NULL) AND answer IS NOT NULL";
    /// A name that is served has a certificate, and when its successor is to be ordered.
    HOST_CERTIFIED(7) = "UPDATE host SET revision = revision + 1, starts = ?3, ends = ?4, chain = ?5, sealed = ?6, \
        order_due = ?7, failures = 0, order_fault = '', challenge = NULL, answer = NULL \
        WHERE controller = ?1 AND id = ?2 AND (verified IS NOT NULL OR retired IS NOT NULL)";
    /// It could not be had.
    HOST_NOT_CERTIFIED(4) = "UPDATE host SET failures = failures + 1, order_fault = ?3, order_due = ?4, \
        challenge = NULL, answer = NULL \
        WHERE controller = ?1 AND id = ?2 AND (verified IS NOT NULL OR retired IS NOT NULL)";

    /// The account with an authority. Of two nodes that make one, the first has made it.
    ACME_ACCOUNT_INSERT(3) = "INSERT INTO acme_account (directory, made, sealed) VALUES (?1, ?2, ?3) \
        ON CONFLICT (directory) DO NOTHING";
    /// The account with an authority.
    ACME_ACCOUNT(1) = "SELECT sealed FROM acme_account WHERE directory = ?1";
    /// The authority does not know it any more.
    ACME_ACCOUNT_DELETE(1) = "DELETE FROM acme_account WHERE directory = ?1";
}

//! The one table of this crate's replies: from verdicts and failures to SMTP codes.
//!
//! The machine's own replies (syntax, order, sizes) are in `mail::server`. Invariant: no text here holds an address
//! or anything that a client sent. Standards: RFC 5321 §4.2.3, RFC 3463, RFC 4954 §6.

use gate::Refusal;
use mail::reply::Reply;
use mta::submission::Declined;

/// The gate refuses: code, enhanced code and words are of the rule's row.
pub(crate) fn refusal(refusal: Refusal) -> Reply {
    let row = refusal.row();
    Reply::new(row.smtp, row.enhanced, refusal.line())
}

/// The same about a recipient, with the id under which the controller can ask why.
pub(crate) fn declined(declined: &Declined) -> Reply {
    let (row, line) = (declined.refusal().row(), declined.refusal().line());
    let text = declined.decision().map_or_else(|| line.clone(), |id| format!("{line} [{id}]"));
    Reply::new(row.smtp, row.enhanced, text)
}

/// We failed, and the client should try again (RFC 5321 §4.2.1, 4yz).
pub(crate) fn temporary() -> Reply {
    Reply::new(451, (4, 3, 0), "temporary failure; nothing was taken in, try again later")
}

/// RFC 5321 §4.2.3, RFC 3463 §3.4: the disk is full; what was taken in before is safe.
pub(crate) fn out_of_storage() -> Reply {
    Reply::new(452, (4, 3, 1), "insufficient system storage; nothing was taken in, try again later")
}

/// The content is not as it must be; the sentence says what to mend.
pub(crate) fn content(sentence: String) -> Reply {
    Reply::new(554, (5, 6, 0), sentence)
}

/// RFC 5321 §6.3: the message goes in circles.
pub(crate) fn mail_loop(sentence: String) -> Reply {
    Reply::new(554, (5, 4, 6), sentence)
}

/// What came back is applied, or kept for the operator.
pub(crate) fn taken() -> Reply {
    Reply::new(250, (2, 0, 0), "taken in")
}

/// RFC 5321 §3.3. The same for a token that is forged, altered, another's or too old.
pub(crate) fn no_such_mailbox() -> Reply {
    Reply::new(550, (5, 1, 1), "no such mailbox here; this host takes return paths, postmaster and abuse alone")
}

/// RFC 5321 §4.5.3.1.10.
pub(crate) fn too_many_recipients() -> Reply {
    Reply::new(452, (4, 5, 3), "too many recipients for mail that comes back")
}

/// Durable. `more` further recipients have ids of their own.
pub(crate) fn queued(first: &str, more: usize) -> Reply {
    let text = match more {
        0 => format!("queued as {first}"),
        more => format!("queued as {first} and {more} more"),
    };
    Reply::new(250, (2, 0, 0), text)
}

/// RFC 4954 §6. The same for an unknown name, a wrong password and a stream that is not the credential's.
pub(crate) fn wrong_credential() -> Reply {
    Reply::new(535, (5, 7, 8), "authentication failed; check name (name or name+stream) and password")
}

/// RFC 4954 §9: passwords cannot be tried at speed.
pub(crate) fn too_many_failures() -> Reply {
    Reply::new(421, (4, 7, 0), "too many failed authentications; try again in a minute")
}

/// RFC 4954 §6: 454. Whether or not there is such a credential.
pub(crate) fn name_closed() -> Reply {
    Reply::new(454, (4, 7, 0), "too many failed authentications with this name; try again in a minute")
}

/// RFC 4954 §6: 530. The machine has asked already; this is for a session that lost its authority.
pub(crate) fn authenticate_first() -> Reply {
    Reply::new(530, (5, 7, 0), "authenticate first")
}

/// The peer is not of the networks that this listener trusts.
pub(crate) fn network_not_trusted() -> Reply {
    Reply::new(554, (5, 7, 1), "this listener does not serve your network; use the submission port with TLS and AUTH")
}

/// The credential that this listener is bound to was revoked, or has expired.
pub(crate) fn listener_without_credential() -> Reply {
    Reply::new(554, (5, 7, 1), "the credential of this listener is no longer valid; ask the operator for a new one")
}

pub(crate) fn too_many_connections() -> Reply {
    Reply::new(421, (4, 3, 2), "too many connections; try again later")
}

pub(crate) fn shutting_down() -> Reply {
    Reply::new(421, (4, 3, 2), "the server is shutting down; try again later")
}

pub(crate) fn session_long_enough() -> Reply {
    Reply::new(421, (4, 3, 2), "the session has lasted long enough; connect again")
}

pub(crate) fn not_authenticated_in_time() -> Reply {
    Reply::new(421, (4, 7, 0), "authenticate sooner; closing the connection")
}

pub(crate) fn idle() -> Reply {
    Reply::new(421, (4, 4, 2), "nothing was heard for too long")
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use gate::{Facts, Verdict};
    use model::{ControllerId, Timestamp};

    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        reply.write(true, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn refused(sender: Option<&gate::SenderFacts>) -> Refusal {
        let person = gate::RecipientFacts::default();
        let facts = Facts {
            now: Timestamp::from_seconds(1_800_014_400),
            generation: 1,
            sender,
            message: gate::MessageFacts {
                from_domain: gate::facts::FromDomain::Verified,
                way_out: gate::facts::WayOut::Fits,
                connection: gate::facts::Connection::NotYet,
                order: None,
            },
            recipient: Some(&person),
            quota: gate::facts::QuotaFacts { allowed: 1, used: 0 },
        };
        match gate::check(&facts) {
            Verdict::Refuse(refusal) | Verdict::Hold(refusal) => refusal,
            Verdict::Pass(()) => panic!("the facts are not enough for a pass"),
        }
    }

    #[test]
    fn a_refusal_carries_rule_article_sentence_and_remedy() {
        let sender = gate::SenderFacts {
            controller: ControllerId(1),
            agreement: None,
            instruction: None,
            stream: None,
            credential: None,
        };
        let text = written(&refusal(refused(Some(&sender))));
        assert!(text.starts_with("550 5.7.1 agreement-not-in-force (GDPR Art. 28(3)): "), "{text}");
        assert!(text.contains("; sign or renew the agreement"), "{text}");
    }

    #[test]
    fn facts_that_cannot_be_loaded_are_a_temporary_failure() {
        let text = written(&refusal(refused(None)));
        assert!(text.starts_with("451 4.3.0 facts-unavailable "), "{text}");
    }

    #[test]
    fn one_and_several_recipients_are_told_apart() {
        assert_eq!(written(&queued("msg_1", 0)), "250 2.0.0 queued as msg_1\r\n");
        assert_eq!(written(&queued("msg_1", 2)), "250 2.0.0 queued as msg_1 and 2 more\r\n");
    }
}

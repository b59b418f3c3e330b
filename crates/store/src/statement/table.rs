//! Every table of the two databases. `docs/personal-data.md` has a row for each; a test compares the list, the
//! page and what the migrations make.

/// Declares the list and its words together, so that none can be forgotten.
macro_rules! tables {
    ($($table:ident = $word:literal,)+) => {
        /// A table.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Table {
            $(#[doc = $word] $table,)+
        }

        impl Table {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$table),+];

            /// Its name in both engines.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$table => $word,)+
                }
            }
        }
    };
}

tables! {
    Controller = "controller",
    Agreement = "agreement",
    Instruction = "instruction",
    Stream = "stream",
    Purpose = "purpose",
    Document = "document",
    Signature = "signature",
    ControllerNotice = "controller_notice",
    ConsentEvent = "consent_event",
    Form = "form",
    Confirmation = "confirmation",
    Preference = "preference",
    Mailed = "mailed",
    Failing = "failing",
    Wish = "wish",
    Domain = "domain",
    Host = "host",
    AcmeAccount = "acme_account",
    TransportPolicy = "transport_policy",
    TlsSession = "tls_session",
    TlsReport = "tls_report",
    TlsReported = "tls_reported",
    SiteOrder = "site_order",
    SiteState = "site_state",
    EgressAssignment = "egress_assignment",
    EgressState = "egress_state",
    WarmPlan = "warm_plan",
    WarmDay = "warm_day",
    Credential = "credential",
    Subject = "subject",
    Suppression = "suppression",
    Restriction = "restriction",
    TagMove = "tag_move",
    Tombstone = "tombstone",
    TombstoneLog = "tombstone_log",
    Basis = "basis",
    Batch = "batch",
    Quarantine = "quarantine",
    Message = "message",
    Queue = "queue",
    QueueOrder = "queue_order",
    Refusal = "refusal",
    Body = "body",
    Attempt = "attempt",
    Quota = "quota",
    Idempotency = "idempotency",
    LedgerInbox = "ledger_inbox",
    LedgerHead = "ledger_head",
    LedgerChunk = "ledger_chunk",
    Migration = "migration",
    CopyState = "copy_state",
    Key = "key",
    SubjectBlock = "subject_block",
    Generation = "generation",
    Node = "node",
    Lease = "lease",
    Cluster = "cluster",
}

/// Those that a node alone does not need: SQLite has none of them.
pub(crate) const OF_SEVERAL_NODES: &[Table] = &[Table::Generation, Table::Node, Table::Lease, Table::Cluster];

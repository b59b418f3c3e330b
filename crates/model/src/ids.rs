//! Identifiers. Inside, each is a 64-bit integer made by the application, rising with time and unique
//! to the node that made it. Outside, an id is shown in an enciphered form (`store::vault::PublicIds`),
//! so that no one learns volume or time from it.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub i64);

        impl $name {
            /// What stands before the underscore in the public form.
            pub const PREFIX: &'static str = $prefix;
            /// Keeps the public forms of different kinds apart under one cipher key.
            pub const KIND: u8 = $kind;
        }

        impl PublicKind for $name {
            const PREFIX: &'static str = $prefix;
            const KIND: u8 = $kind;
            fn from_raw(raw: i64) -> Self {
                Self(raw)
            }
            fn raw(self) -> i64 {
                self.0
            }
        }
    };
}

/// What `store::vault::PublicIds` needs to know to encipher and decipher an id.
pub trait PublicKind: Copy {
    /// What stands before the underscore in the public form.
    const PREFIX: &'static str;
    /// One byte that differs between kinds.
    const KIND: u8;
    /// From the inner integer.
    fn from_raw(raw: i64) -> Self;
    /// The inner integer.
    fn raw(self) -> i64;
}

id!(/// A controller: the customer on whose documented instructions mail is sent (GDPR Art. 4(7)).
    ControllerId, "ctl", 1);
id!(/// One message to one recipient (or one shared message).
    MessageId, "msg", 2);
id!(/// A stream of mail of one kind and one purpose.
    StreamId, "str", 3);
id!(/// A processing agreement (GDPR Art. 28(3)).
    AgreementId, "agr", 4);
id!(/// A documented instruction (GDPR Art. 28(3)(a)).
    InstructionId, "ins", 5);
id!(/// A credential of a controller's system.
    CredentialId, "crd", 6);
id!(/// A sending domain of a controller.
    DomainId, "dom", 7);
id!(/// One submission request, for the answer of the HTTP door.
    RequestId, "req", 8);

id!(/// What data are processed for (GDPR Art. 5(1)(b)).
    PurposeId, "pur", 9);
id!(/// A document of permission: agreement, instruction or notice, in one version and language.
    DocumentId, "doc", 10);
id!(/// An import of contacts.
    BatchId, "imp", 11);
id!(/// A sign-up form.
    FormId, "frm", 12);
id!(/// A list that people join and leave below a purpose.
    ListId, "lst", 13);
id!(/// A right that a person exercised.
    WishId, "wsh", 14);
id!(/// Something that a controller is told.
    NoticeId, "ntc", 15);
id!(/// A request to confirm a consent.
    ConfirmationId, "cfm", 16);
id!(/// A step of a consent, as it is kept.
    StepId, "stp", 36);
id!(/// A decision of the gate that refused a recipient.
    DecisionId, "dec", 32);
id!(/// A host name of a controller's own, for his pages.
    HostId, "hst", 33);

impl PurposeId {
    /// The purpose of a stream that was made together with it: both have one id.
    #[must_use]
    pub const fn of_stream(stream: StreamId) -> Self {
        Self(stream.0)
    }
}

impl ControllerId {
    /// The operator is a controller of his own for his own mail and his own log.
    pub const OPERATOR: Self = Self(1);
}

/// The random name of one recorded event: it links a timeline row to its ledger leaf.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId(pub [u8; 16]);

impl EventId {
    /// Lower-case hexadecimal, 32 characters.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl std::fmt::Debug for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Lower-case hexadecimal of any bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

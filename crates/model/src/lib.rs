//! The words of Postern: ids and nouns that every wing shares.
//!
//! Never: I/O, a clock, randomness, SQL, HTTP. A type here says what a thing is, not what is done with it.
//! Terms follow GDPR Art. 4 (controller, processor, recipient, consent) and RFC 5598 (mail).
#![warn(missing_docs)]

pub mod agreement;
pub mod basis;
pub mod event;
pub mod ids;
pub mod instruction;
pub mod message;
pub mod person;
pub mod purpose;
pub mod region;
pub mod stream;
pub mod time;

pub use ids::{
    AgreementId, BatchId, ConfirmationId, ControllerId, CredentialId, DecisionId, DocumentId, DomainId, FormId, HostId,
    InstructionId, ListId, MessageId, NoticeId, PurposeId, StepId, StreamId, WishId,
};
pub use person::RecipientTag;
pub use purpose::Purpose;
pub use stream::{Stream, StreamKind};
pub use time::{Clock, Timestamp};

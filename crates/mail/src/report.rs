//! Reports about messages: delivery status notifications.

pub mod write;

//! What persons wish, recorded on behalf of the controller: consent, withdrawal, suppression, restriction.
//! When one of these returns, the gate knows: no message that it stops leaves any more.

use crate::error::Error;
use mail::address::Address;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{ControllerId, PurposeId};
use store::permission::{Act, Recording};
use store::{NewBasis, Store};

/// Records a basis (GDPR Art. 6, 7).
///
/// # Errors
/// Those of the store.
pub async fn record_basis(
    store: &Store,
    controller: ControllerId,
    purpose: PurposeId,
    address: &Address,
    basis: NewBasis,
    act: &Act<'_>,
) -> Result<Recording, Error> {
    Ok(store.record_basis(controller, purpose, address, basis, act).await?)
}

/// Withdraws it (GDPR Art. 7(3)), and keeps that the person does not wish it. True when a basis stood.
///
/// # Errors
/// Those of the store.
pub async fn withdraw(
    store: &Store,
    controller: ControllerId,
    purpose: PurposeId,
    address: &Address,
    act: &Act<'_>,
) -> Result<bool, Error> {
    Ok(store.withdraw_basis(controller, purpose, address, act).await?)
}

/// Suppresses (GDPR Art. 21(3)).
///
/// # Errors
/// Those of the store.
pub async fn suppress(
    store: &Store,
    controller: ControllerId,
    address: &Address,
    scope: SuppressionScope,
    reason: SuppressionReason,
) -> Result<(), Error> {
    store.suppress(controller, address, scope, reason).await?;
    Ok(())
}

/// Restricts processing to storage (GDPR Art. 18).
///
/// # Errors
/// Those of the store.
pub async fn restrict(
    store: &Store,
    controller: ControllerId,
    address: &Address,
    restriction: Restriction,
) -> Result<(), Error> {
    Ok(store.restrict(controller, address, restriction).await?)
}

//! Tickets: where a client without headers may send some content. One names the tenant, the digest and the
//! size, and is good for an hour; what it lets in is bytes that nothing points at yet.

use chrono::TimeDelta;
use domain::{Digest, TenantId, Timestamp};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};

use super::{
    jwt,
    signer::{Signer, SignerError, ripe},
    unauthenticated,
};
use crate::ApiError;

/// So that a ticket is no access token, nor the other way about.
const AUDIENCE: &str = "cupola-upload";
const LIFETIME: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub tenant: TenantId,
    pub sha256: Digest,
    pub bytes: u64,
    aud: String,
    exp: i64,
}

impl Signer {
    pub(crate) fn ticket(
        &self,
        tenant: TenantId,
        sha256: Digest,
        bytes: u64,
        now: Timestamp,
    ) -> Result<String, SignerError> {
        let exp = (now + LIFETIME).timestamp();
        let ticket = Ticket { tenant, sha256, bytes, aud: AUDIENCE.to_owned(), exp };
        Ok(ripe(&self.of_tokens(), now).encode("JWT", &ticket)?)
    }

    pub(crate) async fn read_ticket(&self, text: &str, now: Timestamp) -> Result<Ticket, ApiError> {
        let foreign =
            || unauthenticated("the ticket is not one of this platform's; ask for another");
        let kid = jwt::kid(text).map_err(|_| foreign())?;
        let key = self.find(&kid, now).await;
        let key = key.map_err(|error| ApiError::unavailable(&error, "the database"))?;
        let key = key.ok_or_else(foreign)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "aud"]);
        // by our own clock, below
        rules.validate_exp = false;
        let ticket = jsonwebtoken::decode::<Ticket>(text, &key.decoding, &rules);
        let ticket = ticket.map_err(|_| foreign())?.claims;
        if ticket.exp <= now.timestamp() {
            return Err(unauthenticated("the ticket has expired; ask for another"));
        }
        Ok(ticket)
    }
}

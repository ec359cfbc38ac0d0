//! The audit log: who did what, to which object, from where, with what result. The records of a tenant
//! are a chain: each is sealed with a hash over the hash before it and its own content, so that one
//! that was changed, taken out or put elsewhere later does not fit any more. [`Chain`] follows the
//! links and names what does not fit.
//!
//! What a hash is taken over can be made again from an exported line, with any language's JSON:
//!
//! ```text
//! SHA-256(the 32 bytes of the hash before, of the first record 32 zeroes ‖ the compact JSON array
//!   [id, tenant, at, user, key, session, role, address, action, object_kind, object, result, request])
//! ```

use std::fmt;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{ApiKeyId, Digest, RecordId, RequestId, SessionId, TenantId, Timestamp, UserId};

/// Of a record that tells of something that happened; otherwise its result is the code of the refusal.
pub const DONE: &str = "done";
/// Findings of one chain that are told one by one.
const MOST_FINDINGS: usize = 100;

/// What is known when something is done. A role or an address is text here, whatever it says: what
/// somebody has made of it in the database can be read, and is then found not to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// Null where nobody was known. Where it was refused for want of a good credential, whose it was.
    pub user: Option<UserId>,
    /// The credential: a key or a session.
    pub key: Option<ApiKeyId>,
    pub session: Option<SessionId>,
    /// As which the user did it.
    pub role: Option<String>,
    /// Where the request came from; null for what was done from a shell or by the clock.
    #[schema(examples("192.0.2.7"))]
    pub address: Option<String>,
    /// The operation's id in the API's description.
    #[schema(examples("submit_job"))]
    pub action: String,
    #[schema(examples("job"))]
    pub object_kind: Option<String>,
    /// Its id or its name; of what was refused, the path.
    pub object: Option<String>,
    /// `done`, or the code of the refusal.
    #[schema(examples("done", "forbidden"))]
    pub result: String,
    /// As the answer's `X-Request-Id` said.
    pub request: Option<RequestId>,
}

impl Entry {
    /// Of something that was done from a shell, or by the clock: nobody is known to have asked.
    pub fn done(action: &str, object_kind: &str, object: impl fmt::Display) -> Self {
        Self {
            action: action.to_owned(),
            object_kind: Some(object_kind.to_owned()),
            object: Some(object.to_string()),
            result: DONE.to_owned(),
            ..Self::default()
        }
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub struct Record {
    pub id: RecordId,
    /// Null: the platform's.
    pub tenant: Option<TenantId>,
    #[serde(serialize_with = "as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[serde(flatten)]
    pub entry: Entry,
    /// Null for a moment, until it has been sealed.
    pub seal: Option<Seal>,
}

/// A record's place in the chain of its tenant, counted from 1, and the hash that binds it there. Of the
/// last one, the head of the chain: whoever keeps it elsewhere can tell whether anything up to it was
/// changed since, by whomever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditSeal)]
pub struct Seal {
    pub place: u64,
    pub hash: Digest,
}

impl Seal {
    /// Before the first record.
    const START: Self = Self { place: 0, hash: Digest::from_bytes([0; 32]) };

    /// That of the record after this one's.
    #[must_use]
    pub fn next(self, record: &Record) -> Self {
        let mut sealed = self.hash.as_bytes().to_vec();
        sealed.extend(canonical(record));
        Self { place: self.place + 1, hash: Digest::of(&sealed) }
    }
}

/// The last seal of a log, as it is kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditHead)]
pub struct Head {
    /// Null: the platform's.
    pub tenant: Option<TenantId>,
    #[serde(flatten)]
    pub seal: Seal,
}

impl Default for Seal {
    fn default() -> Self {
        Self::START
    }
}

/// Microseconds, as the database keeps them.
fn text(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at))
}

fn canonical(record: &Record) -> Vec<u8> {
    let Record { id, tenant, at, entry, seal: _ } = record;
    let Entry { user, key, session, role, address, action, object_kind, object, result, request } =
        entry;
    let fields = (
        id,
        tenant,
        text(*at),
        user,
        key,
        session,
        role,
        address,
        action,
        object_kind,
        object,
        result,
        request,
    );
    serde_json::to_vec(&fields).expect("texts are plain JSON")
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    #[error("{}: missing", places(*from, *until))]
    Missing { from: u64, until: u64 },
    #[error(
        "place {place} ({record}): not what was sealed here after place {}: one of the two was \
         changed or stands elsewhere",
        place - 1
    )]
    Changed { place: u64, record: RecordId },
    #[error("{}: missing at the end, the head says that they were there", places(*from, *until))]
    CutOff { from: u64, until: u64 },
    #[error("place {place} and those after it: sealed, but the head stands before them")]
    BeyondHead { place: u64 },
    #[error("place {place}: the head has another hash than the record")]
    HeadChanged { place: u64 },
    #[error("place {place}: another hash than the head had that was kept")]
    NotAsKept { place: u64 },
    #[error("{more} more findings")]
    More { more: u64 },
}

fn places(from: u64, until: u64) -> String {
    if from == until { format!("place {from}") } else { format!("places {from} to {until}") }
}

/// Follows the records of one tenant in the order of their places.
#[derive(Debug)]
pub struct Chain {
    last: Seal,
    head: Option<Seal>,
    /// Heads of earlier times, kept elsewhere.
    kept: Vec<Seal>,
    findings: Vec<Finding>,
    more: u64,
}

impl Chain {
    pub const fn new(head: Option<Seal>, kept: Vec<Seal>) -> Self {
        Self { last: Seal::START, head, kept, findings: Vec::new(), more: 0 }
    }

    /// The next record goes here.
    pub const fn place(&self) -> u64 {
        self.last.place + 1
    }

    pub fn follow(&mut self, seal: Seal, record: &Record) {
        let Seal { place, hash } = seal;
        if place > self.place() {
            // and what comes after a gap has nothing to be held against
            self.found(Finding::Missing { from: self.place(), until: place - 1 });
        } else if self.last.next(record) != seal {
            self.found(Finding::Changed { place, record: record.id });
        }
        // a head that was set back is no reason to complain of the rest
        let beyond = |head: Seal| place == head.place + 1;
        if self.head.map_or(place == 1, beyond) {
            self.found(Finding::BeyondHead { place });
        }
        if self.head.is_some_and(|head| head.place == place && head.hash != hash) {
            self.found(Finding::HeadChanged { place });
        }
        if self.kept.iter().any(|kept| kept.place == place && kept.hash != hash) {
            self.found(Finding::NotAsKept { place });
        }
        // the link as it stands, so that one changed record is one finding and not all after it
        self.last = seal;
    }

    /// After the last record.
    pub fn end(mut self) -> Vec<Finding> {
        let promised = self.kept.iter().copied().chain(self.head).map(|head| head.place).max();
        if let Some(until) = promised.filter(|place| *place > self.last.place) {
            self.found(Finding::CutOff { from: self.place(), until });
        }
        if self.more > 0 {
            self.findings.push(Finding::More { more: self.more });
        }
        self.findings
    }

    fn found(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests;

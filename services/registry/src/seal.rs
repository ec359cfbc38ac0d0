//! Bytes at rest, encrypted in segments so that any range of them can be read by itself: the streaming
//! construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015), with AES-256-GCM and a key for each object,
//! as in Tink's AES-GCM-HKDF streaming.
//!
//! ```text
//! "cupola1\0"  salt (32 bytes)  segment 0  segment 1  …  the last segment
//! ```
//!
//! The object's key is HKDF-SHA256 of the tenant's key, the salt, and the tenant's id. A segment is 64 KiB of
//! plain bytes, the last one fewer or none, and 16 bytes of tag. Its nonce is its number and whether it is the
//! last: nothing can be changed, left out, cut off, put elsewhere or read as another tenant's unnoticed.

use std::{fmt, ops::Range};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand,
};
use domain::TenantId;

pub(crate) const HEADER: usize = MAGIC.len() + SALT;
const MAGIC: &[u8; 8] = b"cupola1\0";
const SALT: usize = 32;
pub(crate) const SEGMENT: usize = 64 << 10;
const TAG: usize = 16;
pub(crate) const SEALED: usize = SEGMENT + TAG;
const PURPOSE: &[u8] = b"cupola object v1";

/// Of a tenant: all of its objects' keys come from it.
#[derive(Clone)]
pub struct DataKey(pub(crate) [u8; 32]);

impl DataKey {
    /// `None` if the machine has no randomness to give.
    pub(crate) fn generate() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok().map(|()| Self(bytes))
    }

    fn of_object(&self, tenant: TenantId, salt: &[u8]) -> LessSafeKey {
        let secret = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        let tenant = tenant.uuid();
        let info = [PURPOSE, tenant.as_bytes().as_slice()];
        let key = secret.expand(&info, &AES_256_GCM).expect("a key is shorter than HKDF's longest");
        LessSafeKey::new(UnboundKey::from(key))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("its bytes are not what was stored, or are another tenant's")]
pub struct Tampered;

fn nonce(segment: u64, last: bool) -> Option<Nonce> {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&segment.to_be_bytes());
    bytes[NONCE_LEN - 1] = u8::from(last);
    Some(Nonce::assume_unique_for_key(bytes))
}

/// Takes plain bytes as they come, and gives sealed ones.
pub(crate) struct Sealer {
    key: LessSafeKey,
    /// The header, until it has been given.
    header: Option<Vec<u8>>,
    /// Less than a segment, or one that may be the last.
    rest: Vec<u8>,
    segment: u64,
}

impl Sealer {
    /// `None` if the machine has no randomness to give.
    pub(crate) fn new(key: &DataKey, tenant: TenantId) -> Option<Self> {
        let mut header = MAGIC.to_vec();
        header.resize(HEADER, 0);
        rand::fill(&mut header[MAGIC.len()..]).ok()?;
        let key = key.of_object(tenant, &header[MAGIC.len()..]);
        Some(Self { key, header: Some(header), rest: Vec::with_capacity(SEALED), segment: 0 })
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = self.header.take().unwrap_or_default();
        while self.rest.len() + bytes.len() > SEGMENT {
            let (now, later) = bytes.split_at(SEGMENT - self.rest.len());
            self.rest.extend_from_slice(now);
            self.seal(false, &mut out);
            bytes = later;
        }
        self.rest.extend_from_slice(bytes);
        out
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut out = self.header.take().unwrap_or_default();
        self.seal(true, &mut out);
        out
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) {
        let nonce = nonce(self.segment, last).expect("it has a fixed length");
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.rest)
            .expect("a segment is far shorter than the cipher's longest message");
        out.append(&mut self.rest);
        self.segment += 1;
    }
}

/// Takes sealed bytes from the beginning of a segment on, and gives plain ones.
pub(crate) struct Opener {
    key: LessSafeKey,
    rest: Vec<u8>,
    segment: u64,
}

impl Opener {
    /// `None` if this is no header: what was stored before there was a key is as it is.
    pub(crate) fn new(key: &DataKey, tenant: TenantId, header: &[u8]) -> Option<Self> {
        let salt = header.strip_prefix(MAGIC).filter(|salt| salt.len() == SALT)?;
        Some(Self { key: key.of_object(tenant, salt), rest: Vec::new(), segment: 0 })
    }

    pub(crate) fn starting_at(self, segment: u64) -> Self {
        Self { segment, ..self }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<u8>, Tampered> {
        let mut out = Vec::with_capacity(self.rest.len() + bytes.len());
        while self.rest.len() + bytes.len() > SEALED {
            let (now, later) = bytes.split_at(SEALED - self.rest.len());
            self.rest.extend_from_slice(now);
            self.open(false, &mut out)?;
            bytes = later;
        }
        self.rest.extend_from_slice(bytes);
        Ok(out)
    }

    /// What is left is the object's last segment or, of a range that ends earlier, a whole one.
    pub(crate) fn finish(mut self, last: bool) -> Result<Vec<u8>, Tampered> {
        let mut out = Vec::new();
        self.open(last, &mut out)?;
        Ok(out)
    }

    fn open(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), Tampered> {
        let nonce = nonce(self.segment, last).ok_or(Tampered)?;
        let plain = self.key.open_in_place(nonce, Aad::empty(), &mut self.rest);
        out.extend_from_slice(plain.map_err(|_| Tampered)?);
        self.rest.clear();
        self.segment += 1;
        Ok(())
    }
}

/// Where the segments are that hold a range of plain bytes, which is not empty and within the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub first: u64,
    /// Whether the object's last segment is among them.
    pub has_last: bool,
    /// In the object.
    pub sealed: Range<u64>,
    /// Plain bytes of the first segment before the range.
    pub skip: usize,
}

pub(crate) fn span(range: &Range<u64>, sealed_size: u64) -> Span {
    let first = range.start / SEGMENT as u64;
    let end = range.end.div_ceil(SEGMENT as u64);
    let at = |segment: u64| HEADER as u64 + segment * SEALED as u64;
    Span {
        first,
        has_last: at(end) >= sealed_size,
        sealed: at(first)..at(end).min(sealed_size),
        skip: (range.start % SEGMENT as u64) as usize,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(key: &DataKey, tenant: TenantId, plain: &[u8], piece: usize) -> Vec<u8> {
        let mut sealer = Sealer::new(key, tenant).unwrap();
        let mut out = Vec::new();
        plain.chunks(piece.max(1)).for_each(|piece| out.extend(sealer.push(piece)));
        out.extend(sealer.finish());
        out
    }

    fn opened(
        key: &DataKey,
        tenant: TenantId,
        sealed: &[u8],
        piece: usize,
    ) -> Result<Vec<u8>, Tampered> {
        let mut opener = Opener::new(key, tenant, &sealed[..HEADER]).ok_or(Tampered)?;
        let mut out = Vec::new();
        for piece in sealed[HEADER..].chunks(piece.max(1)) {
            out.extend(opener.push(piece)?);
        }
        out.extend(opener.finish(true)?);
        Ok(out)
    }

    fn bytes(many: usize) -> Vec<u8> {
        (0..many).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn every_length_around_a_segment_comes_back() {
        let (key, tenant) = (DataKey::generate().unwrap(), TenantId::generate());
        for many in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 7] {
            let plain = bytes(many);
            let stored = sealed(&key, tenant, &plain, 10_007);
            assert_eq!(opened(&key, tenant, &stored, 4_099), Ok(plain.clone()), "{many}");
            assert!(!stored.windows(16).any(|part| many > 16 && part == &plain[..16]));
        }
    }

    #[test]
    fn two_objects_of_the_same_bytes_look_different() {
        let (key, tenant) = (DataKey::generate().unwrap(), TenantId::generate());
        let plain = bytes(100);
        assert_ne!(sealed(&key, tenant, &plain, 100), sealed(&key, tenant, &plain, 100));
    }

    #[test]
    fn whatever_is_done_to_it_is_noticed() {
        let (key, tenant) = (DataKey::generate().unwrap(), TenantId::generate());
        let stored = sealed(&key, tenant, &bytes(3 * SEGMENT + 5), SEGMENT);
        let tampered = Err(Tampered);
        assert_eq!(opened(&key, TenantId::generate(), &stored, SEALED), tampered);
        assert_eq!(opened(&DataKey::generate().unwrap(), tenant, &stored, SEALED), tampered);
        for at in [8, HEADER, HEADER + SEALED + 9, stored.len() - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert_eq!(opened(&key, tenant, &changed, SEALED), tampered, "{at}");
        }
        // cut off at a segment's end, one left out, two exchanged
        let segment = |n: usize| HEADER + n * SEALED..HEADER + (n + 1) * SEALED;
        assert_eq!(opened(&key, tenant, &stored[..segment(2).end], SEALED), tampered);
        let without = [&stored[..segment(1).start], &stored[segment(2).start..]].concat();
        assert_eq!(opened(&key, tenant, &without, SEALED), tampered);
        let exchanged = [
            &stored[..segment(1).start],
            &stored[segment(2)],
            &stored[segment(1)],
            &stored[segment(3).start..],
        ];
        assert_eq!(opened(&key, tenant, &exchanged.concat(), SEALED), tampered);
    }

    #[test]
    fn what_was_stored_before_has_no_header() {
        let (key, tenant) = (DataKey::generate().unwrap(), TenantId::generate());
        assert!(Opener::new(&key, tenant, &bytes(HEADER)).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_range_is_the_same_range_of_the_whole(
            many in 1..4 * SEGMENT, start in 0.0..1.0, length in 0.0..1.0, piece in 1..3 * SEALED
        ) {
            let (key, tenant) = (DataKey([7; 32]), TenantId::NIL);
            let plain = bytes(many);
            let stored = sealed(&key, tenant, &plain, many);
            let start = (start * many as f64) as usize;
            let end = (start + 1 + (length * (many - start) as f64) as usize).min(many);
            let span = span(&(start as u64..end as u64), stored.len() as u64);
            let part = &stored[span.sealed.start as usize..span.sealed.end as usize];
            let opener = Opener::new(&key, tenant, &stored[..HEADER]).unwrap();
            let mut opener = opener.starting_at(span.first);
            let mut out = Vec::new();
            for piece in part.chunks(piece) {
                out.extend(opener.push(piece).unwrap());
            }
            out.extend(opener.finish(span.has_last).unwrap());
            prop_assert_eq!(&out[span.skip..span.skip + end - start], &plain[start..end]);
        }
    }
}

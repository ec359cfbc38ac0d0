//! Short numbers for long values. The same everywhere and always, but nothing to rely on against
//! somebody who looks for two values with one hash.

use std::hash::Hasher;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;
const THIRD: u64 = 0xaef1_7502_108e_f2d9;

/// Both halves of the product, folded into one.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    lane(bytes, FIRST, SECOND)
}

/// Long enough that two different values never meet in practice.
pub(crate) fn hash128(bytes: &[u8]) -> u128 {
    u128::from(lane(bytes, FIRST, SECOND)) << 64 | u128::from(lane(bytes, THIRD, FIRST))
}

/// Of several values in their order.
pub(crate) fn combined(before: u128, next: u128) -> u128 {
    let (high, low) = ((before >> 64) as u64, before as u64);
    let (next_high, next_low) = ((next >> 64) as u64, next as u64);
    let high = fold(high.rotate_left(23) ^ next_high ^ FIRST, SECOND).wrapping_add(low);
    let low = fold(low.rotate_left(23) ^ next_low ^ THIRD, FIRST).wrapping_add(next_high);
    u128::from(high) << 64 | u128::from(low)
}

/// For tables whose keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= hash64(bytes);
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

fn lane(bytes: &[u8], seed: u64, factor: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ bytes.len() as u64;
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word), factor).wrapping_add(seed);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = fold(hash ^ u64::from_le_bytes(last), factor);
    fold(hash ^ THIRD, hash.rotate_left(32) ^ SECOND)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn values_that_differ_a_little_have_other_hashes() {
        let mut values: Vec<Vec<u8>> = (0..40).map(|n| vec![0; n]).collect();
        values.extend((0..200_000).map(|i| i.to_string().into_bytes()));
        values.extend((0..200_u8).map(|i| [b"the same start ".as_slice(), &[i]].concat()));
        let low: HashSet<u64> = values.iter().map(|v| hash64(v)).collect();
        let whole: HashSet<u128> = values.iter().map(|v| hash128(v)).collect();
        let halves: HashSet<u64> = whole.iter().map(|&hash| hash as u64).collect();
        assert_eq!([low.len(), whole.len(), halves.len()], [values.len(); 3]);
        let chains: HashSet<u128> =
            whole.iter().flat_map(|&hash| [combined(0, hash), combined(hash, 0)]).collect();
        assert_eq!(chains.len(), 2 * values.len());
        // spread over the places of a table
        let places: HashSet<u64> = low.iter().map(|hash| hash & 0xffff).collect();
        assert!(places.len() > 62_000, "{}", places.len());
    }
}

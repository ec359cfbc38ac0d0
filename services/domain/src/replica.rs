//! Which serving replica answers for a version of a model: each has a rank for each version, drawn from both names,
//! and the highest answers (rendezvous hashing). Who asks needs nothing but the list: all gateways send a version to
//! the same replica, one that goes gives its versions to all the others, and no other version moves.

use sha2::{Digest as _, Sha256};

use crate::ModelId;

/// The replicas' places in the list, the one that answers for the version first, and after it whoever does when those
/// before it do not. By name, so that a replica that comes back has the versions that it had.
pub fn ranked(replicas: &[&str], (model, number): (ModelId, u32)) -> Vec<usize> {
    let version = Sha256::new().chain_update(model.uuid()).chain_update(number.to_be_bytes());
    let mut ranks: Vec<_> = replicas
        .iter()
        .enumerate()
        .map(|(place, name)| (version.clone().chain_update(name).finalize(), place))
        .collect();
    ranks.sort_unstable_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    ranks.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const VERSIONS: u32 = 3_000;

    fn version(number: u32) -> (ModelId, u32) {
        (ModelId::from_uuid(Uuid::from_u128(u128::from(number / 10))), number % 10)
    }

    /// Who answers, by name.
    fn answers<'a>(replicas: &[&'a str], number: u32) -> &'a str {
        replicas[ranked(replicas, version(number))[0]]
    }

    fn names(names: &BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn versions_are_spread_evenly() {
        let replicas = ["http://a:1", "http://a:2", "http://b:1", "http://b:2", "http://c:1"];
        for name in replicas {
            let count = (0..VERSIONS).filter(|n| answers(&replicas, *n) == name).count();
            assert!((500..=700).contains(&count), "{name}: {count} of {VERSIONS}, a fifth is 600");
        }
    }

    #[test]
    fn without_replicas_nobody_answers() {
        assert!(ranked(&[], version(1)).is_empty());
    }

    proptest! {
        #[test]
        fn only_the_versions_of_one_that_goes_move_and_they_go_to_the_next(
            all in prop::collection::btree_set("[a-z]{1,8}", 2..8),
            gone: prop::sample::Index,
            number in 0..VERSIONS,
        ) {
            let before = names(&all);
            let gone = *gone.get(&before);
            let left: Vec<_> = before.iter().copied().filter(|name| *name != gone).collect();
            let ranks = ranked(&before, version(number));
            let first = before[ranks[0]];
            let expected = if first == gone { before[ranks[1]] } else { first };
            prop_assert_eq!(answers(&left, number), expected);
        }

        #[test]
        fn all_who_ask_agree_whatever_the_order_of_their_lists(
            all in prop::collection::btree_set("[a-z]{1,8}", 1..8),
            number in 0..VERSIONS,
        ) {
            let one = names(&all);
            let mut other = one.clone();
            other.reverse();
            prop_assert_eq!(answers(&one, number), answers(&other, number));
            let places: BTreeSet<_> = ranked(&one, version(number)).into_iter().collect();
            prop_assert_eq!(places.len(), one.len());
        }
    }
}

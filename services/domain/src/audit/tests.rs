use chrono::DateTime;
use proptest::{prelude::*, sample::Index};
use uuid::Uuid;

use super::*;

fn record(n: u128) -> Record {
    let entry = Entry {
        user: Some(UserId::from_uuid(Uuid::from_u128(7))),
        role: Some("owner".to_owned()),
        address: Some("192.0.2.7".to_owned()),
        action: "submit_job".to_owned(),
        object_kind: Some("job".to_owned()),
        object: Some(format!("a \"name\"\n{n}")),
        result: DONE.to_owned(),
        ..Entry::default()
    };
    Record {
        id: RecordId::from_uuid(Uuid::from_u128(n)),
        tenant: Some(TenantId::from_uuid(Uuid::from_u128(1))),
        at: DateTime::from_timestamp_micros(1_700_000_000_000_000 + n as i64).unwrap(),
        entry,
        seal: None,
    }
}

fn sealed(count: u128) -> Vec<(Seal, Record)> {
    let mut last = Seal::default();
    (1..=count)
        .map(|n| {
            let record = record(n);
            last = last.next(&record);
            (last, record)
        })
        .collect()
}

fn check(records: &[(Seal, Record)], head: Option<Seal>, kept: Vec<Seal>) -> Vec<Finding> {
    let mut chain = Chain::new(head, kept);
    records.iter().for_each(|(seal, record)| chain.follow(*seal, record));
    chain.end()
}

fn head(records: &[(Seal, Record)]) -> Option<Seal> {
    records.last().map(|(seal, _)| *seal)
}

/// The bytes that are hashed must never change: what was sealed yesterday has to fit tomorrow.
#[test]
fn a_hash_is_taken_over_these_bytes() {
    assert_eq!(
        String::from_utf8(canonical(&record(1))).unwrap(),
        "[\"aud_00000000000000000000000000000001\",\"ten_00000000000000000000000000000001\",\
         \"2023-11-14T22:13:20.000001Z\",\"usr_00000000000000000000000000000007\",null,null,\
         \"owner\",\"192.0.2.7\",\"submit_job\",\"job\",\"a \\\"name\\\"\\n1\",\"done\",null]"
    );
    // by Python: hashlib.sha256(bytes(32) + the line above).hexdigest()
    let first = Seal::default().next(&record(1));
    assert_eq!(first.place, 1);
    assert_eq!(
        first.hash.to_string(),
        "0dae7d7ad9d33b6df84d6106e03da4fcc626add7fdfadaf8e0f3aa761ededc7b"
    );
}

#[test]
fn a_chain_as_it_was_sealed_has_no_findings() {
    let records = sealed(5);
    assert_eq!(check(&records, head(&records), vec![records[1].0, records[4].0]), []);
    assert_eq!(check(&[], None, Vec::new()), []);
}

#[test]
fn a_changed_record_is_named() {
    let mut records = sealed(5);
    let head = head(&records);
    records[2].1.entry.result = "forbidden".to_owned();
    let changed = Finding::Changed { place: 3, record: records[2].1.id };
    assert_eq!(check(&records, head, Vec::new()), [changed]);
    // with a hash that fits it, the next one does not follow
    records[2].0 = records[1].0.next(&records[2].1);
    let changed = Finding::Changed { place: 4, record: records[3].1.id };
    assert_eq!(check(&records, head, Vec::new()), [changed]);
}

#[test]
fn a_missing_record_is_named_wherever_it_was() {
    let records = sealed(5);
    for gone in 0..5 {
        let mut rest = records.clone();
        rest.remove(gone);
        let place = gone as u64 + 1;
        let missing = if gone == 4 {
            Finding::CutOff { from: place, until: place }
        } else {
            Finding::Missing { from: place, until: place }
        };
        assert_eq!(check(&rest, head(&records), Vec::new()), [missing]);
    }
}

#[test]
fn records_that_have_changed_places_are_named() {
    let mut records = sealed(5);
    let head = head(&records);
    let (one, other) = (records[1].1.clone(), records[2].1.clone());
    (records[1].1, records[2].1) = (other, one);
    let changed = |n: usize| Finding::Changed { place: n as u64 + 1, record: records[n].1.id };
    assert_eq!(check(&records, head, Vec::new()), [changed(1), changed(2)]);
}

#[test]
fn the_head_is_held_against_the_end() {
    let records = sealed(3);
    let beyond = |place| Finding::BeyondHead { place };
    assert_eq!(check(&records, Some(records[0].0), Vec::new()), [beyond(2)]);
    assert_eq!(check(&records, None, Vec::new()), [beyond(1)]);
    let other = Seal { place: 3, ..records[0].0 };
    assert_eq!(check(&records, Some(other), Vec::new()), [Finding::HeadChanged { place: 3 }]);
    assert_eq!(
        check(&[], head(&records), Vec::new()),
        [Finding::CutOff { from: 1, until: 3 }],
        "all of it"
    );
}

/// Whoever owns the database can seal everything anew; a head that was kept elsewhere shows it.
#[test]
fn a_chain_that_was_made_anew_is_not_as_kept() {
    let kept = sealed(4)[3].0;
    let mut anew = Vec::new();
    let mut last = Seal::default();
    for n in [1, 3, 4, 5] {
        let record = record(n);
        last = last.next(&record);
        anew.push((last, record));
    }
    assert_eq!(check(&anew, head(&anew), Vec::new()), []);
    assert_eq!(check(&anew, head(&anew), vec![kept]), [Finding::NotAsKept { place: 4 }]);
    let shorter = &anew[..3];
    let cut_off = Finding::CutOff { from: 4, until: 4 };
    assert_eq!(check(shorter, head(shorter), vec![kept]), [cut_off]);
}

#[test]
fn findings_have_an_end() {
    let mut records = sealed(2 * MOST_FINDINGS as u128);
    records.iter_mut().for_each(|(_, record)| record.entry.action = "other".to_owned());
    let findings = check(&records, head(&records), Vec::new());
    assert_eq!(findings.len(), MOST_FINDINGS + 1);
    assert_eq!(findings.last(), Some(&Finding::More { more: MOST_FINDINGS as u64 }));
}

proptest! {
    /// Whatever field of whatever record is changed, that record is found.
    #[test]
    fn no_field_can_be_changed(at: Index, field in 0..10_u8, text in "[A-Z\"\\\\,]{1,20}") {
        let mut records = sealed(6);
        let head = head(&records);
        let (seal, record) = at.get_mut(&mut records);
        let (place, entry) = (seal.place, &mut record.entry);
        let other = Some(text.clone());
        match field {
            0 => entry.user = None,
            1 => entry.key = Some(ApiKeyId::NIL),
            2 => entry.role = other,
            3 => entry.address = other,
            4 => entry.action = text,
            5 => entry.object_kind = other,
            6 => entry.object = other,
            7 => entry.result = text,
            8 => entry.session = Some(crate::SessionId::NIL),
            _ => record.at += chrono::Duration::microseconds(1),
        }
        let changed = Finding::Changed { place, record: record.id };
        prop_assert_eq!(check(&records, head, Vec::new()), [changed]);
    }
}

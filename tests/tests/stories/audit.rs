//! What auditors live through: the log is sealed while the platform runs, and a head that was kept shows
//! whether it still is what it was.

use e2e::{Platform, wait_until};

/// With as many records in it.
async fn sealed(platform: &Platform, head: &str, records: u64) -> serde_json::Value {
    wait_until("the records' places", async || {
        let head = platform.operator.get(head).await.ok();
        (head["place"].as_u64() >= Some(records)).then_some(head)
    })
    .await
}

#[tokio::test]
async fn the_log_is_sealed_verified_and_held_against_what_was_kept() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    // the tenant, its owner's answer and their key; the operator's key
    let head = sealed(&platform, "/v1/audit/head?tenant=acme", 3).await;
    sealed(&platform, "/v1/audit/head", 1).await;
    assert_eq!(acme.get("/v1/audit").await.ok()["items"][0]["action"], "create_key");

    let (fine, said) = platform.admin(&["audit", "verify"]);
    assert!(fine && said.contains("platform: 1 records, all as they were sealed"), "{said}");
    assert!(said.contains(" acme: 3 records, all as they were sealed"), "{said}");
    let (_, export) = platform.admin(&["audit", "export", "--tenant", "acme"]);
    assert_eq!(export.lines().count(), 3, "{export}");
    assert!(export.contains(head["hash"].as_str().unwrap()), "{export}");

    let (_, heads) = platform.admin(&["audit", "heads"]);
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("heads.jsonl");
    let verify = ["audit", "verify", "--heads", kept.to_str().unwrap()];
    std::fs::write(&kept, &heads).unwrap();
    let (fine, said) = platform.admin(&verify);
    assert!(fine && !said.contains("finding"), "{said}");
    // as if somebody had written another past since
    let hash = head["hash"].as_str().unwrap();
    std::fs::write(&kept, heads.replace(hash, &"0".repeat(64))).unwrap();
    let (fine, said) = platform.admin(&verify);
    assert!(!fine && said.contains("acme: 3 records, and 1 findings"), "{said}");
    assert!(said.contains("  place 3: another hash than the head had that was kept"), "{said}");
}

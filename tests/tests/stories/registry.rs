//! What whoever downloads a model does with its manifest: they check the files without asking the platform.

use e2e::{Platform, cupola, two_clouds};

use crate::outcome::published;

#[tokio::test]
async fn what_was_downloaded_is_checked_against_the_signed_manifest() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let (csv, draft) = two_clouds(1);
    acme.push_csv("clouds", &csv).await;
    published(&acme, &acme.submit(&draft).await).await;

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let version = "/v1/models/acme/clouds/versions/1";
    let manifest = acme.get(&format!("{version}/manifest")).await.ok();
    std::fs::write(at("manifest.json"), manifest.to_string()).unwrap();
    let read = acme.get(version).await.ok();
    for file in read["files"].as_array().unwrap() {
        let bytes = acme.download(file["url"].as_str().unwrap()).await;
        std::fs::write(at(file["name"].as_str().unwrap()), bytes).unwrap();
    }
    let keys = acme.get("/.well-known/manifest-keys.json").await.ok();
    std::fs::write(at("keys.json"), keys.to_string()).unwrap();
    drop(platform);

    let path = folder.path().to_str().unwrap();
    let (manifest, keys) = (format!("{path}/manifest.json"), format!("{path}/keys.json"));
    let verify = || cupola(&["models", "verify", path, "--manifest", &manifest, "--keys", &keys]);
    let (fine, said) = verify();
    assert!(fine && said.contains("acme/clouds:1 as it was published"), "{said}");
    assert!(said.contains("model.safetensors") && said.contains("model.onnx"), "{said}");

    let json = ["models", "verify", path, "--manifest", &manifest, "--keys", &keys, "--json"];
    let told: serde_json::Value = serde_json::from_str(&cupola(&json).1).unwrap();
    assert_eq!(told["model"], "acme/clouds:1");
    let names: Vec<_> = told["files"].as_array().unwrap().iter().map(|f| &f["path"]).collect();
    assert!(names.contains(&&serde_json::json!("model.safetensors")), "{told}");

    std::fs::write(at("extra.py"), "print()").unwrap();
    let (fine, said) = verify();
    assert!(!fine && said.contains("extra.py: is not in the manifest"), "{said}");
    std::fs::remove_file(at("extra.py")).unwrap();
    let mut weights = std::fs::read(at("model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    std::fs::write(at("model.safetensors"), weights).unwrap();
    let (fine, said) = verify();
    assert!(!fine && said.contains("model.safetensors: has "), "{said}");
    std::fs::write(at("keys.json"), "{\"keys\": []}").unwrap();
    let (fine, said) = verify();
    assert!(!fine && said.contains("not among the keys given"), "{said}");
}

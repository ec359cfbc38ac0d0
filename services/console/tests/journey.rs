//! What people do here: the example in two clicks, a training that is checked first, data that is pushed, a
//! model that is tried and promoted.

use actix_web::test::TestRequest;
use domain::JobId;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Page, unescaped},
    hand::{Hand, flowers, push},
    support::TestApp,
};

fn job_of(page: &Page) -> JobId {
    page.location().strip_prefix("/console/jobs/").unwrap().parse().unwrap()
}

/// Of the data that was pushed last.
async fn profile_job(browser: &Browser) -> JobId {
    let jobs = browser.get("/console/jobs?kind=profile").await.expect(200);
    let newest = jobs.values_of("href=\"/console/jobs/job_").next().unwrap();
    format!("job_{newest}").parse().unwrap()
}

/// A job that waits.
async fn held_and_ended(browser: &Browser, at: &str) {
    browser.act(&format!("{at}/pause"), &[]).await.expect(303);
    browser.get(at).await.expect(200).shows("Let it go on");
    browser.act(&format!("{at}/resume"), &[]).await.expect(303);
    browser.act(&format!("{at}/cancel"), &[]).await.expect(303);
    browser.get(at).await.expect(200).shows("cancelled").shows_no("data-events");
}

#[actix_web::test]
async fn the_example_is_two_clicks_away_and_answers() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let start = browser.get("/console").await.expect(200);
    start.shows("Push the example");

    let pushed = browser.post_from(&start, "/console/example", &[]).await.expect(303);
    assert_eq!(pushed.location(), "/console/datasets/breast-cancer");
    let waiting = browser.get(pushed.location()).await.expect(200);
    waiting.shows("A worker is making the profile");
    hand.run(profile_job(&browser).await).await;
    let data = browser.get(pushed.location()).await.expect(200);
    data.shows("569").shows("Balance of diagnosis").shows("radius_mean").shows("Train the example");

    let submitted = browser.post_from(&data, "/console/example/train", &[]).await.expect(303);
    let job = job_of(&submitted);
    let queued = browser.get(submitted.location()).await.expect(200);
    queued.shows("data-events=\"").shows("as soon as the first epoch has ended").shows("Cancel");
    hand.run(job).await;
    let done = browser.get(submitted.location()).await.expect(200);
    done.shows("Loss: training from")
        .shows("validation from")
        .shows("Accuracy: training from")
        .shows_no("data-events");
    let model = done.values_of("href=\"/console/models/acme/breast-cancer?version=").next();
    assert_eq!(model, Some("1"));

    let model = browser.get("/console/models/acme/breast-cancer?version=1").await.expect(200);
    model
        .shows("name=\"column.radius_mean\"")
        .shows("model.safetensors")
        .shows("curl -sS")
        .shows("trained on breast-cancer 1");
    model.shows("95 %");
    let given = [
        ("version", "1"),
        ("column.radius_mean", "30"),
        ("column.area_mean", "2500"),
        ("column.texture_mean", ""),
    ];
    let missing = browser
        .post_from(&model, "/console/models/acme/breast-cancer/try", &given)
        .await
        .expect(200);
    missing.shows("role=\"alert\"");
    let names: Vec<_> =
        model.values_of("name=\"column.").map(|name| format!("column.{name}")).collect();
    assert_eq!(names.len(), 30);
    let mut fields = vec![("version", "1")];
    fields.extend(names.iter().map(|name| (name.as_str(), "")));
    let answered = browser
        .post_from(&model, "/console/models/acme/breast-cancer/try", &fields)
        .await
        .expect(200);
    answered.shows("It says <strong>");
    browser.get("/console").await.expect(200).shows("the example").shows_no("Push the example");
}

#[actix_web::test]
async fn a_training_is_checked_and_corrected_before_it_is_submitted_and_can_be_cloned() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(40)).await).await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    browser
        .get("/console/jobs/new?question=0")
        .await
        .expect(200)
        .shows("href=\"/console/jobs/new?dataset=flowers\"");
    let form = browser.get("/console/jobs/new?dataset=flowers").await.expect(200);
    form.shows("<option value=\"kind\" selected>");

    let typed = [("dataset", "flowers"), ("target", "kind"), ("epochs", "many")];
    browser
        .post_from(&form, "/console/jobs/check", &typed)
        .await
        .expect(200)
        .shows("`many` is no number");
    let wrong = [
        ("dataset", "flowers"),
        ("target", "kind"),
        ("epochs", "0"),
        ("split", "2"),
        ("family", "mlp"),
    ];
    let wrong = browser.post_from(&form, "/console/jobs/check", &wrong).await.expect(200);
    wrong.shows("<code>epochs</code>").shows("<code>validation.split</code>");

    let yaml = "dataset: flowers\ntarget: kind\nepochs: 2\nbatch_size: 16\nmodel:\n  layers:\n    - {type: Dense, units: 1, activation: sigmoid}\n";
    let checked =
        browser.post_from(&wrong, "/console/jobs/check", &[("spec", yaml)]).await.expect(200);
    checked.shows("It is valid").shows("binary classification").shows("Costs at most");
    checked.shows("makes 1 features").shows("data-check=\"/console/jobs/check\"");
    assert_eq!(checked.area("spec"), yaml);
    browser
        .post_from(&wrong, "/console/jobs", &[("spec", "[1, 2]")])
        .await
        .expect(422)
        .shows("must be an object");
    browser
        .post_from(&wrong, "/console/jobs", &[("spec", "{\"dataset\": \"nothing\"}")])
        .await
        .expect(422)
        .shows("nothing");

    let once = checked.values_of("name=\"once\" value=\"").next().unwrap().to_owned();
    let send = [("spec", yaml), ("once", once.as_str())];
    let first = browser.post_from(&checked, "/console/jobs", &send).await.expect(303);
    let again = browser.post_from(&checked, "/console/jobs", &send).await.expect(303);
    assert_eq!(first.location(), again.location(), "a form sent twice is one job");

    let clone =
        browser.get(&format!("/console/jobs/new?from={}", job_of(&first))).await.expect(200);
    let spec: Value = serde_json::from_str(&clone.area("spec")).unwrap();
    assert_eq!(
        (&spec["epochs"], &spec["features"]),
        (&json!(2), &json!(["length", "width", "colour"]))
    );
    let text = spec.to_string();
    browser
        .post_from(&clone, "/console/jobs/check", &[("spec", text.as_str())])
        .await
        .expect(200)
        .shows("It is valid");

    held_and_ended(&browser, first.location()).await;
    let cancelled = browser.get("/console/jobs?status=cancelled").await.expect(200);
    cancelled.shows(&job_of(&first).to_string());
}

#[actix_web::test]
async fn a_file_is_pushed_by_a_form_and_its_trouble_is_told() {
    let app = TestApp::new().await;
    app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let page = browser.get("/console/datasets").await.expect(200);
    let send = |name: &str, file: &str, bytes: &str| {
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let head = format!(
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        let body =
            part("seal", page.seal()) + &part("name", name) + &head + bytes + "\r\n--b--\r\n";
        let request = TestRequest::post().uri("/console/datasets").set_payload(body);
        browser.send(request.insert_header(("content-type", "multipart/form-data; boundary=b")))
    };
    let pushed = send("garden", "My Garden.CSV", &flowers(30)).await.expect(303);
    assert_eq!(pushed.location(), "/console/datasets/garden?version=1");
    hand.run(profile_job(&browser).await).await;
    browser
        .get("/console/datasets/garden")
        .await
        .expect(200)
        .shows("Balance of kind")
        .shows(">iris<");
    send("garden", "a.exe", "x").await.expect(400).shows("its name ends with none of");
    send("No Name!", "a.csv", "a\n1\n").await.expect(400).shows("name: ");

    let broken = send("broken", "a.csv", "a,b\n1\n").await.expect(303).location().to_owned();
    let profile = profile_job(&browser).await;
    hand.run(profile).await;
    browser.get(&broken).await.expect(200).shows("ragged_row").shows("push it again");
    browser
        .get(&format!("/console/jobs/{profile}"))
        .await
        .expect(200)
        .shows("ragged_row")
        .shows("Mend the file");
}

#[actix_web::test]
async fn a_model_is_promoted_described_made_public_and_found_by_others() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    app.tenant("zeta").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(40)).await).await;
    let draft = json!({ "dataset": "flowers", "target": "kind", "epochs": 2, "batch_size": 16 });
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    hand.run(job.text("/id").parse().unwrap()).await;
    let owner = Browser::signed_in(&app, "owner@acme.example").await;
    let at = "/console/models/acme/flowers";
    owner.act(&format!("{at}/alias"), &[("version", "1"), ("alias", "champion")]).await.expect(303);
    owner.get(at).await.expect(200).shows("champion");
    owner
        .act(
            &format!("{at}/state"),
            &[("version", "1"), ("state", "deprecated"), ("reason", "old")],
        )
        .await
        .expect(303);
    owner.get(at).await.expect(200).shows("This version is").shows("old");
    owner
        .act(&format!("{at}/state"), &[("version", "1"), ("state", "published"), ("reason", "")])
        .await
        .expect(303);

    let other = Browser::signed_in(&app, "developer@zeta.example").await;
    other.get(at).await.expect(404);
    let said = [
        ("description", "Tells <b>flowers</b> apart"),
        ("tags", "botany, small"),
        ("card", "# Flowers\n\n<script>alert(1)</script>"),
        ("visibility", "public"),
        ("shared_with", ""),
        ("licence", "mit"),
    ];
    owner.act(at, &said).await.expect(303);
    let found = other.get("/console/models?visibility=public&q=flowers").await.expect(200);
    found.shows("acme/").shows("Tells &lt;b&gt;flowers&lt;/b&gt; apart").shows("botany");
    let seen = other.get(at).await.expect(200);
    seen.shows("Make it one of ours")
        .shows_no("Promote")
        .shows_no("<script>alert")
        .shows_no("<b>flowers");
    let row =
        [("version", "1"), ("column.length", "5"), ("column.width", ""), ("column.colour", "red")];
    other.post_from(&seen, &format!("{at}/try"), &row).await.expect(200).shows("It says <strong>");
    other.post_from(&seen, &format!("{at}/like"), &[]).await.expect(303);
    other
        .post_from(&seen, &format!("{at}/fork"), &[("version", "1"), ("name", "meadow")])
        .await
        .expect(303);
    other.get("/console/models/zeta/meadow").await.expect(200).shows("acme/flowers");
    // what one may not do is refused, whatever a page has shown
    other.act(&format!("{at}/alias"), &[("version", "1"), ("alias", "mine")]).await.expect(403);
}

#[actix_web::test]
async fn the_road_leads_from_a_question_to_a_model_in_use() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(200)).await).await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    let question = browser.get("/console/jobs/new").await.expect(200);
    question.shows("What do you want to predict?").shows("href=\"/console/jobs/new?question=0\"");
    browser.get("/console/jobs/new?question=99").await.expect(404);
    let data = browser.get("/console/jobs/new?question=0").await.expect(200);
    data.shows("What should it learn from?").shows("A table: a row for each thing");

    // what fits is told with its reason, and starts in one click
    let fits = browser.get("/console/jobs/new?dataset=flowers").await.expect(200);
    fits.shows("dense network (MLP)")
        .shows("A table of 200 rows")
        .shows("Takes about")
        .shows("Costs about");
    fits.shows("`length` is spread exactly as `kind` is");
    let other = browser.get("/console/jobs/new?dataset=flowers&predict=width").await.expect(200);
    other.shows("regression").shows("<option value=\"width\" selected>");
    browser
        .get("/console/jobs/new?dataset=flowers&predict=none")
        .await
        .expect(200)
        .shows("no column `none`");
    let on_page = browser.get("/console/datasets/flowers").await.expect(200);
    on_page.shows("What could I train?").shows("To predict <strong>kind</strong>");
    let spec = unescaped(fits.values_of("name=\"spec\" value=\"").next().unwrap());
    let once = fits.values_of("name=\"once\" value=\"").next().unwrap();
    let looked_at = browser.post_from(&fits, "/console/jobs/check", &[("spec", &spec)]).await;
    looked_at.expect(200).shows("It is valid");
    let send = [("spec", spec.as_str()), ("once", once)];
    let started = browser.post_from(&fits, "/console/jobs", &send).await.expect(303);
    let waiting = browser.get(started.location()).await.expect(200);
    waiting.shows("aria-current=\"step\">Train<").shows_no("What its figures say");
    hand.run(job_of(&started)).await;

    // a run that is too good to be true, and the change that is tried next
    let done = browser.get(started.location()).await.expect(200);
    done.shows("aria-current=\"step\">Judge<").shows("What its figures say");
    done.shows("leakage")
        .shows("without the column `length`")
        .shows("Open the changed specification");
    let spec = unescaped(done.values_of("name=\"spec\" value=\"").next().unwrap());
    let editor = browser.post_from(&done, "/console/jobs/check", &[("spec", &spec)]).await;
    let editor = editor.expect(200);
    editor.shows("It is valid").shows_no("&quot;length&quot;");

    // put to use, and back to what was before
    let model = browser.get("/console/models/acme/flowers?version=1").await.expect(200);
    model.shows("aria-current=\"step\">Use it<").shows("Put it behind an endpoint");
    let to = [("endpoint", "garden"), ("model", "acme/flowers"), ("version", "1")];
    let used = browser.post_from(&model, "/console/endpoints", &to).await.expect(303);
    assert_eq!(used.location(), "/console/endpoints/garden");
    browser.get("/console/endpoints").await.expect(200).shows("acme/flowers version 1");
    let again = browser.post_from(&editor, "/console/jobs", &[("spec", &spec)]).await.expect(303);
    hand.run(job_of(&again)).await;
    let to = [("endpoint", "garden"), ("model", "acme/flowers"), ("version", "2")];
    browser.post_from(&model, "/console/endpoints", &to).await.expect(303);
    let endpoint = browser.get("/console/endpoints/garden").await.expect(200);
    endpoint
        .shows("acme/flowers version 2")
        .shows("Go back to 1")
        .shows("/v1/endpoints/garden/predict");
    let back = [("revision", "1")];
    browser.post_from(&endpoint, "/console/endpoints/garden/rollback", &back).await.expect(303);
    let endpoint = browser.get("/console/endpoints/garden").await.expect(200);
    endpoint.shows("Go back to 2");
    // who only looks sees what fits, and no button
    let viewer = Browser::signed_in(&app, "viewer@acme.example").await;
    let seen = viewer.get("/console/datasets/flowers").await.expect(200);
    seen.shows("dense network (MLP)").shows_no("Train this");
    viewer.get(started.location()).await.expect(200).shows("leakage").shows_no("Open the changed");
}

#[actix_web::test]
async fn trainings_stand_side_by_side_and_a_sweep_shows_its_points() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    let draft = |epochs: u32| json!({"dataset": "flowers", "target": "kind", "epochs": epochs, "batch_size": 16, "seed": 1});
    let sweep = json!({"name": "how long", "spec": draft(1), "parameters": {"epochs": [2, 4]}, "parallelism": 2});
    let sweep = acme.developer.post("/v1/sweeps", sweep).await.expect(202);
    let sweep = format!("/v1/jobs?sweep={}", sweep.text("/id"));
    let jobs = acme.developer.get(&sweep).await.expect(200);
    let ids: Vec<_> = jobs.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["id"].as_str().unwrap())
        .collect();
    for id in &ids {
        hand.run(id.parse().unwrap()).await;
    }
    let browser = Browser::signed_in(&app, "viewer@acme.example").await;
    let page = browser.get(&format!("/console/jobs/compare?job={}", ids[0])).await.expect(200);
    page.shows("Up to 4 are compared").shows(&format!("value=\"{}\"", ids[1]));
    let both = format!("/console/jobs/compare?job={}&job={}", ids[0], ids[1]);
    let page = browser.get(&both).await.expect(200);
    page.shows("val loss: 1.")
        .shows("val accuracy")
        .shows("What their specifications have differently");
    page.shows("Settings and what came of them").shows("epochs 4, val accuracy");
    page.shows("<th scope=\"row\">epochs</th><td>").shows_no("<th scope=\"row\">seed</th>");
    let nobody = ids[0].replace(|c: char| c.is_ascii_digit(), "0");
    browser.get(&format!("/console/jobs/compare?job={nobody}&job={}", ids[1])).await.expect(404);

    let sweeps = browser.get("/console/sweeps").await.expect(200);
    let at = sweeps.values_of("href=\"/console/sweeps/").next().unwrap();
    let one = browser.get(&format!("/console/sweeps/{at}")).await.expect(200);
    one.shows("epochs 4")
        .shows("epochs 2")
        .shows("Best so far")
        .shows("the best")
        .shows("Side by side");
}

#[actix_web::test]
async fn a_sweep_is_started_from_a_training() {
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let hand = Hand::hire(&app).await;
    let browser = Browser::signed_in(&app, "developer@acme.example").await;
    browser.get("/console/sweeps/new").await.expect(200).shows("Nothing to begin from");
    hand.run(push(&acme.developer, "flowers", flowers(60)).await).await;
    let draft = json!({"dataset": "flowers", "target": "kind", "epochs": 1, "batch_size": 16});
    let job = acme.developer.post("/v1/jobs", draft).await.expect(202);
    let id = job.text("/id");
    browser
        .get(&format!("/console/jobs/{id}"))
        .await
        .expect(200)
        .shows("/console/sweeps/new?from=");
    browser.get("/console/sweeps").await.expect(200).shows("/console/sweeps/new");
    browser.get("/console/sweeps/new").await.expect(200).shows(&format!("?from={id}"));
    let page = browser.get(&format!("/console/sweeps/new?from={id}")).await.expect(200);
    let spec = page.area("spec");
    assert!(spec.contains("flowers"), "{spec}");
    let with = |field: &'static str, values: &'static str| {
        [("field1", field), ("values1", values), ("field2", "epochs"), ("values2", "1, 2")]
    };
    let form = |varies: [(&'static str, &'static str); 4]| {
        [&varies[..], &[("metric", "val_accuracy"), ("parallelism", "2"), ("name", "two")]].concat()
    };
    let wrong = [&form(with("batch_size", ""))[..], &[("spec", spec.as_str())]].concat();
    let refused = browser.post_from(&page, "/console/sweeps", &wrong).await.expect(422);
    refused.shows("has no values").shows("value=\"batch_size\"");
    let wrong = [&form(with("no_such_field", "1"))[..], &[("spec", spec.as_str())]].concat();
    browser.post_from(&page, "/console/sweeps", &wrong).await.expect(422).shows("no_such_field");
    let right = [&form(with("batch_size", "8, 16"))[..], &[("spec", spec.as_str())]].concat();
    let made = browser.post_from(&page, "/console/sweeps", &right).await.expect(303);
    let sweep = browser.get(made.location()).await.expect(200);
    sweep.shows("2 at once; the greatest val accuracy").shows("batch size 8, epochs 1");
    sweep.shows("batch size 16, epochs 2");
}

//! Every page that only shows something.

pub enum Whose {
    Owner,
    Operator,
    Visitor,
}

pub struct Page {
    pub name: &'static str,
    pub whose: Whose,
    pub path: String,
}

pub fn all(jobs: &[String; 3], queued: &str, failed: &str, sweep: &str) -> Vec<Page> {
    let [one, two, three] = jobs;
    let owner = [
        ("overview", String::new()),
        ("datasets", "/datasets".to_owned()),
        ("dataset", "/datasets/breast-cancer".to_owned()),
        ("jobs", "/jobs".to_owned()),
        ("jobs, running", "/jobs?status=running".to_owned()),
        ("jobs, cancelled", "/jobs?status=cancelled".to_owned()),
        ("jobs, failed trainings", "/jobs?status=failed&kind=train".to_owned()),
        ("job", format!("/jobs/{one}")),
        ("job that waits", format!("/jobs/{queued}")),
        ("job that failed", format!("/jobs/{failed}")),
        ("jobs side by side", format!("/jobs/compare?job={one}&job={two}&job={three}")),
        ("new training", "/jobs/new".to_owned()),
        ("new training, what fits", "/jobs/new?dataset=breast-cancer".to_owned()),
        ("specification", format!("/jobs/new?from={one}")),
        ("sweeps", "/sweeps".to_owned()),
        ("sweep", format!("/sweeps/{sweep}")),
        ("models", "/models".to_owned()),
        ("models by words", "/models?q=copy&sort=updated".to_owned()),
        ("models, public", "/models?visibility=public".to_owned()),
        ("models, public, by words", "/models?visibility=public&q=copy+trained".to_owned()),
        ("model", "/models/acme/model-0100".to_owned()),
        ("model of 200 versions", "/models/acme/model-0001".to_owned()),
        ("endpoints", "/endpoints".to_owned()),
        ("usage", "/usage".to_owned()),
        ("keys", "/keys".to_owned()),
        ("people", "/people".to_owned()),
        ("audit log", "/audit".to_owned()),
        ("account", "/account".to_owned()),
    ];
    let operator = [
        ("pools and workers", String::new()),
        ("queue", "/queue".to_owned()),
        ("fair share", "/shares?period=quarter".to_owned()),
        ("tenants", "/tenants".to_owned()),
        ("tenant", "/tenants/acme".to_owned()),
        ("operators", "/operators".to_owned()),
        ("operators' audit log", "/audit?tenant=acme".to_owned()),
    ];
    let visitor = [
        ("front", "/".to_owned()),
        ("sign-in", "/console/sign-in".to_owned()),
        ("registry", "/registry".to_owned()),
        ("registry by words", "/registry?q=copy+trained".to_owned()),
        ("registry, model", "/registry/acme/model-0100".to_owned()),
    ];
    let within = |(name, path): (&'static str, String), whose| Page {
        name,
        whose,
        path: format!("/console{path}"),
    };
    let owner = owner.into_iter().map(|page| within(page, Whose::Owner));
    let operator = operator.into_iter().map(|page| within(page, Whose::Operator));
    let visitor =
        visitor.into_iter().map(|(name, path)| Page { name, whose: Whose::Visitor, path });
    owner.chain(operator).chain(visitor).collect()
}

//! Who asks, and whether what they write of a model can be read.

use actix_web::{HttpResponse, get, post, web};
use domain::access::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Known, error::HubError};
use crate::{
    Body,
    auth::{ReadModels, ReadSelf},
};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubAccount {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    name: String,
    email: String,
    /// The tenant that repositories are made in.
    orgs: Vec<HubOrganization>,
    auth: HubAuth,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubOrganization {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    #[serde(rename = "roleInOrg")]
    role: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubAuth {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "accessToken")]
    access_token: HubToken,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HubToken {
    display_name: String,
    /// `read` or `write`.
    role: &'static str,
}

/// Who asks, as Hub clients want to know it.
#[utoipa::path(operation_id = "hub_whoami", tag = "hub", responses((status = 200, body = HubAccount)))]
#[get("/hub/api/whoami-v2")]
pub(super) async fn whoami(caller: Known<ReadSelf>) -> web::Json<HubAccount> {
    let caller = caller.0;
    let role = if caller.may(Permission::WriteModels) { "write" } else { "read" };
    let orgs = caller.home().map(|(_, slug)| HubOrganization {
        kind: "org",
        name: slug.clone(),
        role: caller.role().as_str(),
    });
    web::Json(HubAccount {
        kind: "user",
        id: caller.user().to_string(),
        name: caller.email().to_owned(),
        email: caller.email().to_owned(),
        orgs: orgs.into_iter().collect(),
        auth: HubAuth {
            kind: "access_token",
            access_token: HubToken { display_name: "key".to_owned(), role },
        },
    })
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HubYaml {
    content: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubYamlAnswer {
    errors: Vec<HubMessage>,
    warnings: Vec<HubMessage>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubMessage {
    message: String,
}

/// Check the head of a README.md, which says its licence and tags.
#[utoipa::path(
    operation_id = "hub_validate_yaml", tag = "hub",
    request_body = HubYaml,
    responses((status = 200, body = HubYamlAnswer), (status = 400, body = HubYamlAnswer)),
)]
#[post("/hub/api/validate-yaml")]
pub(super) async fn validate_yaml(
    _caller: Known<ReadModels>,
    sent: Body<HubYaml>,
) -> Result<HttpResponse, HubError> {
    let (errors, mut response) = match super::card::read(&sent.0.content) {
        Ok(_) => (Vec::new(), HttpResponse::Ok()),
        Err(why) => (vec![HubMessage { message: why }], HttpResponse::BadRequest()),
    };
    Ok(response.json(HubYamlAnswer { errors, warnings: Vec::new() }))
}

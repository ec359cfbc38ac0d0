//! How much of the gateway one address, one credential and one tenant may take: requests in time, by
//! [`boot::rates`], and requests at once. What is refused is a 429 that says when to come again; what was
//! allowed says how much is left, by the headers of draft-ietf-httpapi-ratelimit-headers.

use std::{
    collections::{HashMap, hash_map::Entry},
    num::NonZeroU32,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{
    Error, HttpMessage, HttpRequest, ResponseError,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use boot::rates::{Bucket, Rate};
use domain::{Digest, EndpointId, TenantId, access::Credential};
use store::principals::Principal;

use crate::{ApiError, App, Code, address::Address};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// For machines that look after this one.
pub(crate) const FREE: [&str; 3] = ["/healthz", "/readyz", "/metrics"];
/// A request told to come again because of others at once.
pub(crate) const SOON_SECS: u32 = 1;

/// Requests in time, for each of these.
#[derive(Debug, Clone, Copy)]
pub struct RequestRates {
    pub address: Rate,
    pub credential: Rate,
    pub tenant: Rate,
    /// Of one address, without a credential, for what is public.
    pub visitor: Rate,
    /// Of this process, over all, being answered at once.
    pub at_once: usize,
    /// Of them, those of one tenant.
    pub tenant_at_once: usize,
}

impl Default for RequestRates {
    fn default() -> Self {
        let one = Rate::per_second(many(500));
        Self {
            address: one,
            credential: one,
            tenant: Rate::per_second(many(2_000)),
            visitor: Rate::per_second(many(50)),
            at_once: 1_000,
            tenant_at_once: 500,
        }
    }
}

/// Guesses at one person's password from one address, at one person's from everywhere, and from one address.
const GUESSES_FROM_HERE: Rate = Rate::new(many(10), Duration::from_secs(30));
const GUESSES_AT_ONE: Rate = Rate::new(many(30), Duration::from_secs(10));
const GUESSES_OF_ONE: Rate = Rate::new(many(30), Duration::from_secs(5));

const fn many(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a limit lets something through")
}

/// What a request was counted under, of all the bucket with the least left.
#[derive(Clone, Copy)]
struct Tightest {
    name: &'static str,
    bucket: Bucket,
}

/// Around every request.
pub(crate) async fn limit(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    if FREE.contains(&req.path()) {
        return Ok(next.call(req).await?.map_into_left_body());
    }
    let app = req.app_data::<web::Data<App>>().cloned().ok_or_else(crate::body::no_state)?;
    let allowed = match UnderWay::begin(&UNDER_WAY, app.config.rates.at_once) {
        Ok(under_way) => count_address(&app, req.request()).await.map(|()| under_way),
        Err(refusal) => Err(refusal),
    };
    let _under_way = match allowed {
        Ok(under_way) => under_way,
        Err(refusal) => {
            return Ok(req.into_response(refusal.error_response()).map_into_right_body());
        }
    };
    let mut response = next.call(req).await?.map_into_left_body();
    let tightest = response.request().extensions().get::<Tightest>().copied();
    if let Some(tightest) = tightest {
        tightest.describe(response.headers_mut());
    }
    Ok(response)
}

async fn count_address(app: &App, req: &HttpRequest) -> Result<(), ApiError> {
    let key = format!("address:{}", Address::of(req));
    count(app, req, [("address", key, app.config.rates.address)]).await
}

/// As one who has shown no credential.
pub(crate) async fn count_visitor(app: &App, req: &HttpRequest) -> Result<(), ApiError> {
    let key = format!("visitor:{}", Address::of(req));
    count(app, req, [("visitor", key, app.config.rates.visitor)]).await
}

/// As whoever has shown who they are.
pub(crate) async fn count_principal(
    app: &App,
    req: &HttpRequest,
    principal: &Principal,
) -> Result<(), ApiError> {
    let rates = app.config.rates;
    let (name, id) = match principal.credential {
        Credential::Key(id) => ("key", id.to_string()),
        Credential::Session(id) => ("session", id.to_string()),
    };
    let own = (name, id, rates.credential);
    match &principal.tenant {
        Some((tenant, _)) => {
            let under_way = OfTenant::begin(*tenant, rates.tenant_at_once)?;
            // for as long as the request is there
            req.extensions_mut().insert(under_way);
            count(app, req, [own, ("tenant", tenant.to_string(), rates.tenant)]).await
        }
        None => count(app, req, [own]).await,
    }
}

/// Of an endpoint that has a limit of its own.
pub(crate) async fn count_endpoint(
    app: &App,
    req: &HttpRequest,
    endpoint: EndpointId,
    rate: Rate,
) -> Result<(), ApiError> {
    count(app, req, [("endpoint", format!("endpoint:{endpoint}"), rate)]).await
}

/// One more try to be this person by a password.
pub(crate) async fn count_guess(app: &App, req: &HttpRequest, email: &str) -> Result<(), ApiError> {
    let address = Address::of(req);
    // an e-mail address is personal, and need not be readable in Redis
    let person = Digest::of(email.as_bytes());
    let keys = [
        ("person", format!("guess:{person}:{address}"), GUESSES_FROM_HERE),
        ("person", format!("guess:{person}"), GUESSES_AT_ONE),
        ("guesser", format!("guess-from:{address}"), GUESSES_OF_ONE),
    ];
    take(app, keys).await.map(drop)
}

async fn count<const N: usize>(
    app: &App,
    req: &HttpRequest,
    keys: [(&'static str, String, Rate); N],
) -> Result<(), ApiError> {
    let tightest = take(app, keys).await?;
    let mut extensions = req.extensions_mut();
    let before = extensions.get::<Tightest>().map(|before| before.bucket.left());
    if let Some(tightest) = tightest.filter(|new| before.is_none_or(|b| new.bucket.left() <= b)) {
        extensions.insert(tightest);
    }
    Ok(())
}

/// From all of these or from none; the one with the least left.
async fn take<const N: usize>(
    app: &App,
    keys: [(&'static str, String, Rate); N],
) -> Result<Option<Tightest>, ApiError> {
    let names = keys.each_ref().map(|(name, ..)| *name);
    let keys = keys.map(|(_, key, rate)| (key, rate));
    let buckets = app.rates.take(&keys, app.clock.now()).await;
    let all = names.into_iter().zip(buckets).map(|(name, bucket)| Tightest { name, bucket });
    let all: Vec<_> = all.collect();
    let refused = all.iter().filter(|one| !one.bucket.is_allowed());
    match refused.max_by_key(|one| one.bucket.wait()) {
        Some(refused) => Err(refused.refusal()),
        None => Ok(all.into_iter().min_by_key(|one| one.bucket.left())),
    }
}

impl Tightest {
    fn refusal(self) -> ApiError {
        let (wait, whose) = (secs(self.bucket.wait()), self.whose());
        let detail = format!("too many requests {whose}; come again in {wait} s");
        ApiError::new(Code::RateLimited, detail).retry_after(wait)
    }

    fn whose(self) -> &'static str {
        match self.name {
            "address" => "from this address",
            "visitor" => "from this address without a credential",
            "tenant" => "of this tenant",
            "endpoint" => "by this endpoint",
            "session" => "of this session",
            "key" => "by this API key",
            "guesser" => "to sign in from this address",
            _ => "to sign in as this person",
        }
    }

    fn describe(self, headers: &mut HeaderMap) {
        let Self { name, bucket } = self;
        let (left, full_in) = (bucket.left(), secs(bucket.full_in()));
        let (holds, window) = (bucket.rate.holds(), secs(bucket.rate.window()));
        let policy = format!("\"{name}\";q={holds};w={window}");
        let limit = format!("\"{name}\";r={left};t={full_in}");
        for (header, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        }
    }
}

/// Rounded up: who comes so much later is not refused for having come a moment early.
fn secs(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1)
}

/// A request of a tenant that is being answered.
struct OfTenant(TenantId);

impl OfTenant {
    fn all() -> MutexGuard<'static, HashMap<TenantId, usize>> {
        static UNDER_WAY: LazyLock<Mutex<HashMap<TenantId, usize>>> = LazyLock::new(Mutex::default);
        UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(tenant: TenantId, most: usize) -> Result<Self, ApiError> {
        let mut all = Self::all();
        let count = all.entry(tenant).or_default();
        *count += 1;
        // dropped, and counted no more, where it is one too many
        let (count, this) = (*count, Self(tenant));
        drop(all);
        if count > most {
            let detail = format!(
                "as many requests of this tenant are being answered as may be at once, {most}; come again \
                 in a moment"
            );
            return Err(ApiError::new(Code::RateLimited, detail).retry_after(SOON_SECS));
        }
        Ok(this)
    }
}

impl Drop for OfTenant {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = Self::all().entry(self.0) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

struct UnderWay(&'static AtomicUsize);

impl UnderWay {
    fn begin(count: &'static AtomicUsize, most: usize) -> Result<Self, ApiError> {
        let this = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= most {
            let detail =
                format!("{most} requests are being answered at once; come again in a moment");
            return Err(ApiError::new(Code::Unavailable, detail).retry_after(SOON_SECS));
        }
        Ok(this)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

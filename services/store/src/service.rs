//! The services, as the database knows them: a login for each, that may do nothing by itself, and a role that it
//! takes for work that no tenant is named for, with the grants that its statements need and no others.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Also whoever administers the platform. It alone may work for a tenant, [`Store::begin_for`](crate::Store::begin_for), and
    /// for a visitor.
    Gateway,
    Scheduler,
    Worker,
    /// A replica that answers predictions.
    Serving,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Gateway, Self::Scheduler, Self::Worker, Self::Serving];
    /// May take the role of each: where one login has to do for all services.
    pub const ANY_LOGIN: &str = "cupola_app";

    pub const fn login(self) -> &'static str {
        match self {
            Self::Gateway => "cupola_gateway",
            Self::Scheduler => "cupola_scheduler",
            Self::Worker => "cupola_worker",
            Self::Serving => "cupola_serving",
        }
    }

    /// For statements that see every tenant.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Gateway => "cupola_as_gateway",
            Self::Scheduler => "cupola_as_scheduler",
            Self::Worker => "cupola_as_worker",
            Self::Serving => "cupola_as_serving",
        }
    }
}

//! Routes with their access. A route cannot be added without its access, and a test can walk the list of all routes.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http::{Method, StatusCode};

use super::access::Access;
use super::client::ClientAddress;
use super::compress;
use super::context::{RequestContext, Sender};
use super::error::WebError;
use super::headers::refuse_cross_site;
use super::problem::Problem;
use super::unsent;
use crate::base::display_zone;
use crate::base::identity::SignedIn;
use crate::base::telemetry::metrics;

/// Marks a request that exceeds the server's limit of concurrent requests. Public routes answer it anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with axum's captures.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether its answers may show a secret.
    pub shows_secrets: bool,
}

/// A collection of routes whose handlers share a state `S`.
pub struct Routes<S = ()> {
    router: Router<S>,
    list: Vec<Route>,
}

macro_rules! method {
    ($name:ident, $filter:ident) => {
        #[doc = concat!("Adds a ", stringify!($filter), " route.")]
        pub fn $name<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
        where
            H: Handler<T, S>,
            T: 'static,
        {
            self.add(Method::$filter, MethodFilter::$filter, path, access, handler)
        }
    };
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    method!(get, GET);
    method!(post, POST);
    method!(put, PUT);
    method!(patch, PATCH);
    method!(delete, DELETE);

    fn add<H, T>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let guard = from_fn_with_state((path, access), admit);
        self.router = self.router.route(path, on(filter, handler).layer(guard));
        self.list.push(Route { method, path, access, shows_secrets: false });
        self
    }

    /// Adds the routes of another collection with the same state.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// Marks the routes that were added so far: their answers may show a secret, so they are
    /// [never compressed](super::compress).
    #[must_use]
    pub fn with_secrets(self) -> Self {
        let list = self.list.into_iter().map(|route| Route { shows_secrets: true, ..route }).collect();
        Self { router: self.router.layer(map_response(compress::mark_secret)), list }
    }

    /// Provides the handlers' state.
    pub fn with_state(self, state: S) -> Routes {
        Routes { router: self.router.with_state(state), list: self.list }
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self { router: Router::new(), list: Vec::new() }
    }
}

impl Routes {
    /// Returns the router and the list of its routes.
    pub fn into_parts(self) -> (Router, Vec<Route>) {
        (self.router, self.list)
    }
}

/// Marks an answer whose sender is decided: the one in its extensions, or none. An error page looks for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderDecided;

/// Admits a request to its route if its sender may use it, and inserts the sender into the request's extensions. The
/// response's extensions get the sender too, so that an error page knows them. The handler shows times in the sender's
/// time zone. Every answer sets the cookies of a renewed session.
async fn admit(
    State((path, access)): State<(&'static str, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = admitted(path, access, request, next).await.into_response();
    if access != Access::Public {
        response.extensions_mut().insert(SenderDecided);
    }
    response
}

async fn admitted(
    path: &'static str,
    access: Access,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    metrics::route(path);
    if access != Access::Public && request.extensions().get::<Overloaded>().is_some() {
        return Err(WebError::Overloaded.into());
    }
    let sender = match access {
        Access::Public => None,
        _ => {
            let context = RequestContext::of(request.extensions())?;
            match context.authenticator.clone().authenticate(request.headers()).await {
                // A disabled account must not keep its browser from signing in to another one.
                Err(problem) if access == Access::Anyone && problem.status() == StatusCode::FORBIDDEN => None,
                sender => sender?,
            }
        }
    };
    let Some(Sender { mut who, renewal }) = sender else {
        return match check(access, &request, None) {
            Ok(()) => Ok(next.run(request).await),
            Err(WebError::SignInNeeded) => Ok(unsent::refuse(request).await),
            Err(error) => Err(error.into()),
        };
    };
    // A sender may be cached, but each request has its own address.
    who.address = request.extensions().get::<ClientAddress>().map(|address| address.0);
    metrics::role(who.role);
    let mut response = pass(access, request, who.clone(), next).await.into_response();
    response.extensions_mut().insert::<SignedIn>(who);
    Ok(match renewal {
        Some(renewal) => renewal.with(response),
        None => response,
    })
}

async fn pass(access: Access, mut request: Request, who: SignedIn, next: Next) -> Result<Response, Problem> {
    check(access, &request, Some(&who))?;
    let zone = who.time_zone.clone();
    request.extensions_mut().insert(who);
    Ok(display_zone::show_times_in(zone.as_ref(), next.run(request)).await)
}

fn check(access: Access, request: &Request, who: Option<&SignedIn>) -> Result<(), WebError> {
    refuse_cross_site(request, who)?;
    if access.admits(who.map(|who| who.role)) {
        return Ok(());
    }
    Err(match who {
        None => WebError::SignInNeeded,
        Some(who) => WebError::Forbidden(access, who.role),
    })
}

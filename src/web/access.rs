//! Routes, each with who may use it. There is no way to add a route without saying so, and the list of all routes
//! is there for a test to walk.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use http::Method;

use super::headers::refuse_cross_site;
use crate::accounts::domain::{Role, SignedIn};
use crate::accounts::{Sender, authenticate};
use crate::app::App;
use crate::error::AppError;
use crate::telemetry::tally;
use crate::web::extract::WebError;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, and who it is does not matter: nothing is read to find out.
    Public,
    /// Anyone. The route learns who it is, if the request says so.
    Anyone,
    /// Anyone who is signed in.
    SignedIn,
    /// Agents and administrators.
    Agent,
    /// Administrators.
    Administrator,
}

impl Access {
    /// Whether somebody, or nobody, may use the route.
    pub fn admits(self, role: Option<Role>) -> bool {
        match self {
            Self::Public | Self::Anyone => true,
            Self::SignedIn => role.is_some(),
            Self::Agent => role >= Some(Role::Agent),
            Self::Administrator => role == Some(Role::Administrator),
        }
    }
}

/// Marks a request that came while the server worked on as many as it may. Routes that read nothing of anyone answer it
/// all the same.
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
}

/// Routes being collected.
pub struct Routes {
    app: App,
    router: Router<App>,
    list: Vec<Route>,
}

macro_rules! method {
    ($name:ident, $filter:ident) => {
        #[doc = concat!("Adds a ", stringify!($filter), " route.")]
        pub fn $name<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
        where
            H: Handler<T, App>,
            T: 'static,
        {
            self.add(Method::$filter, MethodFilter::$filter, path, access, handler)
        }
    };
}

impl Routes {
    /// No routes yet.
    pub fn new(app: &App) -> Self {
        Self { app: app.clone(), router: Router::new(), list: Vec::new() }
    }

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
        H: Handler<T, App>,
        T: 'static,
    {
        let guard = from_fn_with_state((self.app.clone(), path, access), admit);
        self.router = self.router.route(path, on(filter, handler).layer(guard));
        self.list.push(Route { method, path, access });
        self
    }

    /// These and another feature's.
    pub fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.list.extend(other.list);
        self
    }

    /// The router, and the list of its routes.
    pub fn into_parts(self) -> (Router, Vec<Route>) {
        (self.router.with_state(self.app), self.list)
    }
}

/// Lets a request pass to its route if it may, with who sends it in its extensions. Whoever they are stands in the
/// response's extensions as well, so that an error page knows them. Whatever is answered, a session that is to go on in
/// another cookie gets it.
async fn admit(
    State((app, path, access)): State<(App, &'static str, Access)>,
    request: Request,
    next: Next,
) -> Result<Response, AppError> {
    tally::route(path);
    if access != Access::Public && request.extensions().get::<Overloaded>().is_some() {
        return Err(WebError::Overloaded.into());
    }
    let sender = match access {
        Access::Public => None,
        _ => authenticate(&app, request.headers()).await?,
    };
    let Some(Sender { who, renewal }) = sender else {
        check(access, &request, None)?;
        return Ok(next.run(request).await);
    };
    tally::role(who.role);
    let response = pass(access, request, who, next).await.into_response();
    Ok(renewal.with(response, &app.cookies))
}

async fn pass(access: Access, mut request: Request, who: SignedIn, next: Next) -> Result<Response, AppError> {
    check(access, &request, Some(&who))?;
    request.extensions_mut().insert::<SignedIn>(who.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(who);
    Ok(response)
}

fn check(access: Access, request: &Request, who: Option<&SignedIn>) -> Result<(), WebError> {
    refuse_cross_site(request, who)?;
    if access.admits(who.map(|who| who.role)) {
        return Ok(());
    }
    Err(match who {
        None => WebError::SignInNeeded,
        Some(_) => WebError::Forbidden(access),
    })
}

//! Orders of 10 leads of one state, for which all clients compete. When the stock or the cap of all states is used
//! up, the orders are deleted, and their leads are free again.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Goal, Workload};
use crate::CLIENTS;
use crate::load::{Connection, Step};
use crate::server::{STATES_OF_ORDERS, Server};

pub const ORDER: &str = "order 10 leads";

const QUANTITY: usize = 10;
const CAP: usize = 1_000;

/// Orders.
pub struct Orders {
    /// The largest number of orders in one state.
    most_of_state: usize,
    next: AtomicUsize,
}

impl Orders {
    /// Raises the default cap.
    pub fn new(server: &Server) -> Self {
        let caps = server.ask("GET", "/api/leads/caps", &Value::Null, 200);
        let default = json!({ "default": CAP, "version": caps["default"]["version"] });
        server.ask("PUT", "/api/leads/caps", &default, 200);
        let stock = server.leads_of_state.min(CAP);
        // A tenth of the stock stays, so that no order searches for the last leads.
        Self { most_of_state: stock * 9 / 10 / QUANTITY, next: AtomicUsize::new(0) }
    }
}

impl Workload for Orders {
    fn name(&self) -> &'static str {
        ORDER
    }

    fn goal(&self) -> Goal {
        Goal::rate(300.0)
    }

    fn prepare(&self, _: &Server) {
        self.next.store(0, Ordering::Relaxed);
    }

    fn steps<'a>(&'a self, server: &'a Server) -> Vec<Step<'a>> {
        let step = || -> Step<'a> {
            Box::new(|client| {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let Some(state) = STATES_OF_ORDERS.get(number / self.most_of_state) else { return false };
                let body = format!(
                    r#"{{"customerName":"Customer","customerEmail":"customer@example.com","requestedStates":["{state}"],"quantityPerState":{QUANTITY}}}"#
                );
                client.timed(&server.program.request("POST", "/api/orders", &body), 201);
                true
            })
        };
        (0..CLIENTS).map(|_| step()).collect()
    }

    fn clean(&self, server: &Server) {
        let mut connection = Connection::open(&server.host);
        loop {
            let open = server.ask("GET", "/api/orders?status=OPEN&limit=100", &Value::Null, 200);
            let orders = open["items"].as_array().expect("a page has items");
            if orders.is_empty() {
                return;
            }
            for order in orders {
                let (id, version) = (order["id"].as_str().expect("an order has an id"), &order["version"]);
                let path = format!("/api/orders/{id}?version={version}");
                let answer = connection.send(&server.program.request("DELETE", &path, ""));
                assert_eq!(answer.status, 204, "{}", answer.text());
            }
        }
    }
}

//! One authenticated request through the shared budget.

use super::audit::Act;
use super::{Done, Operations};
use crate::http::RawBody;
use crate::model::call::Api;
use crate::model::{ConnectionName, ErrorClass, Problem};
use serde_json::Value;

impl Operations {
    /// Sends a request to a relative path and answers with status and body; a body that is no JSON is a
    /// JSON string. Under `--read-only` only reads and searches pass.
    pub async fn raw(
        &self,
        connection: &ConnectionName,
        api: Api,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Done<(u16, Value)> {
        let method = method.to_ascii_uppercase();
        if !matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            return Err(
                Problem::new(ErrorClass::Config, format!("`{method}` is no method"))
                    .remedy("GET, POST, PUT, PATCH or DELETE"),
            );
        }
        if !path.starts_with('/') || path.starts_with("//") {
            return Err(
                Problem::new(ErrorClass::Config, format!("`{path}` is no relative path"))
                    .remedy("begin it with one /; the host comes from config.toml"),
            );
        }
        let route = path.split('?').next().unwrap_or(path);
        let search = method == "POST" && route.ends_with("/search");
        let writes = method != "GET" && !search;
        if writes {
            self.writable()?;
        }
        let account = self.person(connection)?;
        let doing = async {
            Ok(match api {
                Api::HighLevel => account.highlevel.raw(&method, path, body).await?,
                Api::ActiveCampaign => account.activecampaign.raw(&method, path, body).await?,
            })
        };
        let answer = if writes {
            let act = Act::new("api", format!("{} {method} {route}", api.name())).of(connection);
            self.audited(act, doing, |_| None).await?
        } else {
            doing.await?
        };
        let body = match answer.body {
            RawBody::Json(value) => value,
            RawBody::Text(text) => Value::String(text),
        };
        Ok((answer.status, body))
    }
}

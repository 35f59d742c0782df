//! Reading an answer whole, and saying why none came.

use super::base::BaseUrl;
use super::request::Answer;
use jiff::Timestamp;
use std::time::Duration;

/// Largest answer that is read.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// An exchange without a whole answer.
pub(super) struct Broken {
    /// Something may have reached the server.
    pub sent: bool,
    pub message: String,
}

/// Reads the answer to a request that left then, whole, up to a bound.
pub(super) async fn read(
    mut response: reqwest::Response,
    asked_at: Timestamp,
) -> Result<Answer, Broken> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let expected = response.content_length().unwrap_or(0).min(1 << 20);
    let mut body = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MOST_BYTES => {
                return Err(Broken {
                    sent: true,
                    message: format!("the answer is larger than {} MiB", MOST_BYTES >> 20),
                });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => {
                return Ok(Answer {
                    status,
                    body,
                    headers,
                    asked_at,
                });
            }
            Err(error) => {
                let why = if error.is_timeout() {
                    "the rest of the answer did not come in time".to_owned()
                } else {
                    format!("the answer broke off: {}", innermost(&error))
                };
                return Err(Broken {
                    sent: true,
                    message: why,
                });
            }
        }
    }
}

/// Says in words why no answer came.
pub(super) fn describe(error: &reqwest::Error, base: &BaseUrl, timeout: Duration) -> String {
    let host = base.endpoint();
    if error.is_connect() {
        format!("cannot connect to {host}: {}", innermost(error))
    } else if error.is_timeout() {
        format!("no answer from {host} within {} s", timeout.as_secs_f64())
    } else {
        format!("the connection to {host} failed: {}", innermost(error))
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

use super::file::{Kept, TokenFile};
use super::grant::Grant;
use super::*;
use crate::http::testing::{Asked, Server, Told, http, lifted, told};
use crate::http::{BaseUrl, Clock, FixedToken, FormPost, Token};
use crate::model::call::Api;
use crate::model::{ErrorClass, Problem};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const SECRET: &str = "client-secret-canary";

/// A clock that stands still until it is told.
struct Standing(AtomicI64);

impl Clock for Standing {
    fn now_micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep_until(&self, _micros: i64) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// An app with its token file and its server.
struct Desk {
    folder: tempfile::TempDir,
    server: Server,
    clock: Arc<Standing>,
    client_secret: Arc<dyn Token>,
}

impl Desk {
    async fn new(answer: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: Server::start(answer).await,
            clock: Arc::new(Standing(AtomicI64::new(noon().as_microsecond()))),
            client_secret: Arc::new(FixedToken::new(SECRET)),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tramline.default.oauth.json")
    }

    fn file(&self) -> TokenFile {
        TokenFile::new(self.path())
    }

    /// As another process opens it.
    fn token(&self) -> OAuthToken {
        let app = OAuthApp {
            client_id: "client".into(),
            client_secret: Arc::clone(&self.client_secret),
            location_id: LOCATION.into(),
            file: self.path(),
            login: "tramline login highlevel".into(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let post = FormPost {
            api: Api::HighLevel,
            base: BaseUrl::parse(&self.server.url).unwrap(),
            http: http(),
            budget: lifted(),
            observer: None,
        };
        OAuthToken::new(app, post)
    }

    /// Tokens called `access-NAME` and `refresh-NAME` are kept.
    fn keep(&self, name: &str, asked_at: Option<Timestamp>) {
        let grant = Grant::of_answer(answer(name).to_string().as_bytes(), None, noon()).unwrap();
        let kept = Kept {
            client_id: "client".into(),
            location_id: LOCATION.into(),
            grant,
            asked_at,
        };
        self.file().write(&kept).unwrap();
    }

    fn later(&self, time: SignedDuration) {
        let now = self.clock.now_micros() + i64::try_from(time.as_micros()).unwrap();
        self.clock.0.store(now, Ordering::SeqCst);
    }

    /// What was asked, by the refresh token it was asked with.
    fn asked(&self) -> Vec<String> {
        self.server
            .asked()
            .iter()
            .map(|asked| field(asked, "refresh_token"))
            .collect()
    }
}

fn noon() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn answer(name: &str) -> serde_json::Value {
    json!({
        "access_token": format!("access-{name}"), "token_type": "Bearer", "expires_in": 86_399,
        "refresh_token": format!("refresh-{name}"), "scope": "objects/schema.readonly contacts.readonly",
        "userType": "Location", "locationId": LOCATION,
    })
}

fn field(asked: &Asked, name: &str) -> String {
    url::form_urlencoded::parse(asked.text.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

async fn current(token: &OAuthToken) -> Result<String, Problem> {
    let access = token.current().await?;
    Ok(access.expose_secret().to_owned())
}

/// The next tokens are named after their number.
fn numbered(_: &Asked, before: usize) -> Told {
    told(200, answer(&format!("{}", before + 1)))
}

#[test]
fn the_consent_page_is_asked_for_all_scopes() {
    let url = consent_url(
        CONSENT_URL,
        "id",
        "https://app.example/back?x=1",
        &["a/b.readonly", "c.write"],
    );
    assert_eq!(
        url.unwrap(),
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation?response_type=code\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fback%3Fx%3D1&client_id=id&scope=a%2Fb.readonly%20c.write"
    );
}

#[test]
fn a_code_is_found_in_what_is_pasted() {
    for pasted in [
        "c0de-1",
        "  c0de-1\n",
        "https://app.example/back?x=1&code=c0de-1",
        "http://localhost:8787/oauth/callback?code=c0de-1&locationId=x",
    ] {
        assert_eq!(code_of(pasted).unwrap(), "c0de-1", "{pasted}");
    }
    for pasted in [
        "",
        "two words",
        "https://app.example/back",
        "https://app.example/back?error=access_denied",
    ] {
        assert_eq!(code_of(pasted).unwrap_err().class, ErrorClass::Config);
    }
}

#[test]
fn answers_of_every_spelling_are_read_and_others_are_not() {
    let read = |text: &str| Grant::of_answer(text.as_bytes(), None, noon());
    let v3 =
        read(r#"{"accessToken":"a","refreshToken":"r","expiresIn":"86399.0","locationId":"l"}"#);
    let v3 = v3.unwrap();
    assert_eq!(
        v3.expires_at,
        Some(noon() + SignedDuration::from_secs(86_399))
    );
    assert_eq!(
        (v3.access.expose_secret(), v3.refresh.expose_secret()),
        ("a", "r")
    );
    for bad in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"access_token":"","refresh_token":"r"}"#,
        r#"{"access_token":"a"}"#,
        r#"{"access_token":1,"refresh_token":"r"}"#,
    ] {
        assert!(read(bad).is_none(), "{bad}");
    }
    // Without a new refresh token the old one stays, without a life a refusal is waited for.
    let kept = Grant::of_answer(
        br#"{"access_token":"a","expires_in":-1}"#,
        Some(&"r".into()),
        noon(),
    );
    let kept = kept.unwrap();
    assert_eq!((kept.refresh.expose_secret(), kept.expires_at), ("r", None));
    assert!(!kept.is_due(noon()) && kept.is_good(noon()));
}

#[tokio::test]
async fn a_login_keeps_its_tokens_where_only_the_owner_reads_them() {
    let desk = Desk::new(numbered).await;
    let token = desk.token();
    let nobody = current(&token).await.unwrap_err();
    assert_eq!(nobody.class, ErrorClass::Auth);
    assert_eq!(
        nobody.remedy.as_deref(),
        Some("run tramline login highlevel")
    );
    token
        .login("c0de", "https://app.example/back")
        .await
        .unwrap();
    let asked = &desk.server.asked()[0];
    assert_eq!(asked.path, "/oauth/token");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(asked.headers.get("content-type").unwrap(), form);
    assert!(asked.headers.get("authorization").is_none());
    for (name, value) in [
        ("client_id", "client"),
        ("client_secret", SECRET),
        ("grant_type", "authorization_code"),
        ("code", "c0de"),
        ("redirect_uri", "https://app.example/back"),
        ("user_type", "Location"),
    ] {
        assert_eq!(field(asked, name), value, "{name}");
    }
    assert_eq!(current(&token).await.unwrap(), "access-1");
    let mode = std::fs::metadata(desk.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let scopes = token.scopes().await.unwrap().unwrap();
    assert_eq!(scopes, ["objects/schema.readonly", "contacts.readonly"]);
    // Another process finds them, and nothing half-written lies about.
    assert_eq!(current(&desk.token()).await.unwrap(), "access-1");
    let names = std::fs::read_dir(desk.folder.path()).unwrap();
    assert_eq!(names.count(), 2, "the file and its lock");
}

#[tokio::test]
async fn a_consent_for_another_location_or_for_none_is_refused_and_not_kept() {
    for (location, named) in [
        (json!("elsewhere"), "elsewhere"),
        (json!(null), "no location"),
    ] {
        let desk = Desk::new(move |_, _| {
            let mut other = answer("1");
            other["locationId"] = location.clone();
            told(200, other)
        })
        .await;
        let refused = desk
            .token()
            .login("c", "https://a.example")
            .await
            .unwrap_err();
        assert!(refused.message.contains(named), "{refused}");
        assert!(!desk.path().exists());
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let desk = Desk::new(numbered).await;
    desk.keep("0", None);
    let token = desk.token();
    desk.later(SignedDuration::from_secs(86_399 - 301));
    assert_eq!(current(&token).await.unwrap(), "access-0");
    desk.later(SignedDuration::from_secs(2));
    assert_eq!(current(&token).await.unwrap(), "access-1");
    assert_eq!(desk.asked(), ["refresh-0"]);
}

#[tokio::test]
async fn all_who_were_refused_share_one_renewal() {
    let desk = Desk::new(numbered).await;
    desk.keep("0", None);
    // Half of them in this process, half as others.
    let here = desk.token();
    let mut tasks = Vec::new();
    for n in 0..8 {
        let token = if n % 2 == 0 {
            here.clone()
        } else {
            desk.token()
        };
        tasks.push(tokio::spawn(async move {
            assert!(
                token
                    .refresh(&SecretString::from("access-0"))
                    .await
                    .unwrap()
            );
            current(&token).await.unwrap()
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), "access-1");
    }
    assert_eq!(desk.asked(), ["refresh-0"]);
}

#[tokio::test]
async fn a_token_that_lacks_a_scope_is_not_renewed_without_end() {
    let desk = Desk::new(numbered).await;
    desk.keep("0", None);
    let token = desk.token();
    assert!(token.refresh(&"access-0".into()).await.unwrap());
    assert!(!token.refresh(&"access-1".into()).await.unwrap());
    assert_eq!(desk.asked().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    let desk = Desk::new(|_, before| match before {
        0 => told(502, "<html>bad gateway</html>"),
        1 => told(200, "{\"access_token\":\"access-9\",\"refre"),
        _ => told(200, answer("1")),
    })
    .await;
    desk.keep("0", None);
    let token = desk.token();
    assert!(token.refresh(&"access-0".into()).await.unwrap());
    assert_eq!(current(&token).await.unwrap(), "access-1");
    assert_eq!(desk.asked(), ["refresh-0"; 3]);
    assert!(desk.file().read().unwrap().unwrap().asked_at.is_none());
}

#[tokio::test]
async fn a_renewal_that_a_process_did_not_live_to_see_is_begun_again_at_once() {
    let desk = Desk::new(numbered).await;
    desk.keep("0", Some(noon()));
    assert_eq!(current(&desk.token()).await.unwrap(), "access-1");
    assert_eq!(desk.asked(), ["refresh-0"]);
}

#[tokio::test]
async fn too_late_for_the_lost_answer_the_old_access_token_serves_until_it_ends() {
    let desk = Desk::new(|_, _| told(400, json!({"error": "invalid_grant"}))).await;
    desk.keep("0", Some(noon()));
    let token = desk.token();
    assert_eq!(current(&token).await.unwrap(), "access-0");
    desk.later(SignedDuration::from_secs(86_400));
    let refused = current(&token).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Auth);
    assert!(refused.message.contains("never answered"), "{refused}");
}

#[tokio::test]
async fn a_refused_refresh_token_names_the_remedy_and_is_not_asked_with_again() {
    let desk = Desk::new(|_, _| {
        told(400, json!({"error": "invalid_grant", "error_description": format!("refresh-0 of {SECRET} is void")}))
    })
    .await;
    desk.keep("0", None);
    let token = desk.token();
    for _ in 0..3 {
        let refused = token.refresh(&"access-0".into()).await;
        if let Err(refused) = &refused {
            assert_eq!(refused.status, Some(400));
            assert!(
                refused.to_string().contains("tramline login highlevel"),
                "{refused}"
            );
            let said = format!("{refused:?}");
            assert!(
                !said.contains("refresh-0") && !said.contains(SECRET),
                "{said}"
            );
        }
    }
    desk.later(SignedDuration::from_secs(86_400));
    current(&token).await.unwrap_err();
    assert_eq!(desk.asked().len(), 1);
    // Somebody logs in, in another process: its tokens are used at once.
    desk.keep("7", None);
    desk.clock
        .0
        .store(noon().as_microsecond(), Ordering::SeqCst);
    assert!(token.refresh(&"access-0".into()).await.unwrap());
    assert_eq!(current(&token).await.unwrap(), "access-7");
}

#[tokio::test]
async fn what_cannot_be_written_is_not_used_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("tramline.default.oauth.json");
    let block = blocked.clone();
    let mut desk = Desk::new(move |_, before| {
        // In place of the file a folder: replacing it fails.
        std::fs::remove_file(&block).unwrap();
        std::fs::create_dir(&block).unwrap();
        std::fs::write(block.join("x"), "").unwrap();
        told(200, answer(&format!("{}", before + 1)))
    })
    .await;
    desk.folder = folder;
    desk.keep("0", None);
    let token = desk.token();
    let unwritten = token.refresh(&"access-0".into()).await.unwrap_err();
    assert_eq!(unwritten.class, ErrorClass::Store, "{unwritten}");
    std::fs::remove_dir_all(&blocked).unwrap();
    assert_eq!(current(&token).await.unwrap(), "access-1");
    assert_eq!(current(&desk.token()).await.unwrap(), "access-1");
    assert_eq!(desk.asked().len(), 1);
}

/// A client secret that was rotated.
struct RotatedSecret(std::sync::atomic::AtomicBool);

impl Token for RotatedSecret {
    fn current(&self) -> BoxFuture<'_, Result<SecretString, Problem>> {
        let new = self.0.load(Ordering::SeqCst);
        Box::pin(async move { Ok(SecretString::from(if new { SECRET } else { "old-secret" })) })
    }

    fn refresh<'a>(&'a self, _refused: &'a SecretString) -> BoxFuture<'a, Result<bool, Problem>> {
        let changed = !self.0.swap(true, Ordering::SeqCst);
        Box::pin(async move { Ok(changed) })
    }
}

#[tokio::test]
async fn a_rotated_client_secret_is_read_again() {
    let mut desk = Desk::new(|asked, _| match field(asked, "client_secret") == SECRET {
        true => told(200, answer("1")),
        false => told(
            401,
            json!({"statusCode": 401, "message": "Invalid client: client is invalid"}),
        ),
    })
    .await;
    desk.client_secret = Arc::new(RotatedSecret(false.into()));
    desk.keep("0", None);
    assert!(desk.token().refresh(&"access-0".into()).await.unwrap());
    assert_eq!(desk.asked().len(), 2);
}

#[tokio::test]
async fn tokens_of_another_app_and_a_damaged_file_are_no_tokens() {
    let desk = Desk::new(numbered).await;
    std::fs::write(desk.path(), "{\"access_token\": \"access-canary\"").unwrap();
    let damaged = current(&desk.token()).await.unwrap_err();
    assert!(damaged.to_string().contains("damaged") && damaged.remedy.is_some());
    assert!(!damaged.to_string().contains("canary"));
    desk.keep("0", None);
    let text = std::fs::read_to_string(desk.path()).unwrap();
    std::fs::write(desk.path(), text.replace("\"client\"", "\"other\"")).unwrap();
    let other = current(&desk.token()).await.unwrap_err();
    assert!(other.message.contains("another app"), "{other}");
}

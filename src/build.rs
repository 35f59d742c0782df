//! Puts the commit into `--version`: of a release build out of this repository. Anything else is the version alone: a
//! source archive has no commit, and a build while one works would name one that it is not.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match env::var("PROFILE").as_deref() {
        Ok("release") => commit().map_or(version.clone(), |sha| format!("{version} ({sha})")),
        _ => format!("{version} (debug)"),
    };
    println!("cargo::rustc-env=TRAMLINE_VERSION={version}");
}

/// The short hash of the commit that is checked out, with a `+` if tracked files differ from it.
fn commit() -> Option<String> {
    let folder = env::var("CARGO_MANIFEST_DIR").ok()?;
    // A repository around an unpacked archive is not this one.
    let top = git(&folder, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&folder).canonicalize().ok()? {
        return None;
    }
    // It changes with every commit, checkout and reset.
    let log = git(&folder, &["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    println!("cargo::rerun-if-changed=src");
    let sha = git(&folder, &["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(&folder, &["status", "--porcelain", "--untracked-files=no"])?;
    let mark = if changed.is_empty() { "" } else { "+" };
    Some(format!("{sha}{mark}"))
}

fn git(folder: &str, arguments: &[&str]) -> Option<String> {
    let ran = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let said = String::from_utf8(ran.stdout).ok()?;
    ran.status.success().then(|| said.trim().to_owned())
}

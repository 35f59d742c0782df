//! The person who acts, as the audit and the store name them.

use nix::unistd::{Uid, User};

/// `jo from 192.0.2.7`: the login, or who became it through sudo, and where the SSH connection comes from.
pub fn who() -> String {
    let login = User::from_uid(Uid::current())
        .ok()
        .flatten()
        .map(|user| user.name);
    describe(login, |name| std::env::var(name).ok())
}

fn describe(login: Option<String>, variable: impl Fn(&str) -> Option<String>) -> String {
    let set = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
    let login = login
        .or_else(|| set("USER"))
        .or_else(|| set("LOGNAME"))
        .unwrap_or_else(|| "somebody".into());
    let mut name = match set("SUDO_USER") {
        Some(person) if person != login => format!("{person} as {login}"),
        _ => login,
    };
    if let Some(address) = set("SSH_CONNECTION")
        .as_deref()
        .and_then(|text| text.split_whitespace().next())
    {
        name.push_str(" from ");
        name.push_str(address);
    }
    // The variables are anybody's text.
    name.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> String {
        describe(Some("root".into()), |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_person_is_named_with_what_they_became_and_where_they_are() {
        assert_eq!(with(&[]), "root");
        assert_eq!(with(&[("SUDO_USER", "jo")]), "jo as root");
        assert_eq!(
            with(&[
                ("SUDO_USER", "jo"),
                ("SSH_CONNECTION", "192.0.2.7 51000 192.0.2.1 22")
            ]),
            "jo as root from 192.0.2.7"
        );
        assert_eq!(with(&[("SUDO_USER", "\u{1b}[2Jjo")]), "[2Jjo as root");
        assert_eq!(describe(None, |_| None), "somebody");
    }
}

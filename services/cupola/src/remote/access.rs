//! Which platform the commands ask, and as whom. `login` keeps one key in a file for its owner's eyes
//! alone; CUPOLA_URL and CUPOLA_API_KEY go before it. A key that is kept is sent nowhere but to the
//! platform that it is of.

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use terminal::Term;

use super::{
    Asking,
    api::Client,
    show::{Out, items, text},
};
use crate::up;

const KEY_VARIABLE: &str = "CUPOLA_API_KEY";
const FILE: &str = "credentials.json";

#[derive(clap::Args)]
pub struct Login {
    #[command(flatten)]
    asking: Asking,
    /// A file that holds the key, `-` for stdin; else it is asked for.
    #[arg(long)]
    key_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Logout {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub struct Whoami {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Kept {
    url: String,
    key: String,
}

pub async fn login(arguments: &Login) -> anyhow::Result<()> {
    let url = arguments.asking.url.as_deref();
    let url = url.context("which platform? give its address with --url")?;
    let client = Client::new(url, "none-yet")?;
    let key = read_key(arguments.key_file.as_deref())?;
    let client = Client::new(client.url(), key.trim())?;
    let me = client.get("/v1/me").await?;
    let path = path()?;
    keep(&path, &Kept { url: client.url().to_owned(), key: key.trim().to_owned() })?;
    let me = with_url(me, &client);
    arguments.asking.out().show(&me, || format!("{}\nkept in {}", describe(&me), path.display()))
}

pub async fn whoami(arguments: &Whoami) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    let me = with_url(client.get("/v1/me").await?, &client);
    out.show(&me, || describe(&me))
}

pub fn logout(arguments: &Logout) -> anyhow::Result<()> {
    let path = path()?;
    let was_kept = match fs::remove_file(&path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error).with_context(|| format!("remove {}", path.display())),
    };
    Out::new(arguments.json).show(&json!({"removed": was_kept, "path": path}), || {
        if was_kept {
            format!("{} is gone; the key itself is still good", path.display())
        } else {
            "no key was kept".to_owned()
        }
    })
}

/// For the platform and the key that are set, or else that are kept.
pub fn client(url: Option<&str>) -> anyhow::Result<Client> {
    let kept = kept(&path()?)?;
    let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.trim().is_empty());
    let chosen = choose(url, key, kept)?;
    Client::new(&chosen.url, chosen.key.trim())
}

fn choose(url: Option<&str>, key: Option<String>, kept: Option<Kept>) -> anyhow::Result<Kept> {
    let url = url.map(|url| url.trim_end_matches('/').to_owned());
    match (url, key, kept) {
        (Some(url), Some(key), _) => Ok(Kept { url, key }),
        (None, Some(key), Some(kept)) => Ok(Kept { key, ..kept }),
        (None, None, Some(kept)) => Ok(kept),
        (Some(url), None, Some(kept)) if url == kept.url => Ok(kept),
        (Some(url), None, Some(kept)) => bail!(
            "the key that is kept is of {}; set {KEY_VARIABLE} to one of {url}, or `cupola login --url {url}`",
            kept.url
        ),
        (None, Some(_), None) => bail!("which platform? set CUPOLA_URL, or give --url"),
        (_, None, None) => bail!("nobody is logged in; `cupola login --url URL` keeps an API key"),
    }
}

fn path() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = match set("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&set("HOME").context("HOME is unset; set XDG_CONFIG_HOME to a folder")?)
            .join(".config"),
    };
    Ok(folder.join("cupola").join(FILE))
}

fn kept(path: &Path) -> anyhow::Result<Option<Kept>> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).with_context(|| {
            format!("{} holds no key any more; `cupola login` writes it anew", path.display())
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Beside it first, so that there is never half a file, nor one that others may read.
fn keep(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let named = || format!("{} cannot be written", path.display());
    up::private_folder(path.parent().unwrap_or(path))?;
    let beside = path.with_extension("new");
    crate::train::remove(&beside)?;
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&beside).with_context(named)?;
    writeln!(file, "{}", json!(kept)).with_context(named)?;
    fs::rename(&beside, path).with_context(named)
}

/// By a hidden prompt where somebody is there to type it.
fn read_key(file: Option<&Path>) -> anyhow::Result<String> {
    match file {
        Some(path) if path != Path::new("-") => {
            fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
        }
        None if io::stdin().is_terminal() => {
            eprint!("API key: ");
            Term::stderr().read_secure_line().context("read the key")
        }
        _ => {
            let mut key = String::new();
            io::stdin().read_to_string(&mut key).context("read the key from stdin")?;
            Ok(key)
        }
    }
}

fn with_url(mut me: Value, client: &Client) -> Value {
    me["url"] = json!(client.url());
    me
}

fn describe(me: &Value) -> String {
    let scopes = items(me, "/scopes");
    let scopes: Vec<_> = scopes.iter().filter_map(Value::as_str).collect();
    let held =
        if scopes.is_empty() { String::new() } else { format!(", may {}", scopes.join(", ")) };
    let tenant = me["tenant"].as_str().map_or(String::new(), |tenant| format!(" of {tenant}"));
    format!("{}, {}{tenant}{held}, at {}", text(me, "/email"), text(me, "/role"), text(me, "/url"))
}

/// The tenant that the key is of.
pub async fn tenant(client: &Client) -> anyhow::Result<String> {
    let me = client.get("/v1/me").await?;
    let tenant = me["tenant"].as_str();
    Ok(tenant.context("the key is of no tenant; name the model as tenant/model")?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn one() -> Option<Kept> {
        Some(Kept { url: "https://one".into(), key: "cup_one".into() })
    }

    #[test]
    fn a_kept_key_goes_to_its_own_platform_alone() {
        let chosen = |url, key: Option<&str>, kept| choose(url, key.map(str::to_owned), kept);
        assert_eq!(chosen(None, None, one()).unwrap().key, "cup_one");
        assert_eq!(chosen(Some("https://one/"), None, one()).unwrap().key, "cup_one");
        let other = chosen(Some("https://two"), Some("cup_two"), one()).unwrap();
        assert_eq!((other.url.as_str(), other.key.as_str()), ("https://two", "cup_two"));
        assert_eq!(chosen(None, Some("cup_x"), one()).unwrap().url, "https://one");
        let error = chosen(Some("https://two"), None, one()).unwrap_err().to_string();
        assert!(error.contains("https://one") && !error.contains("cup_one"), "{error}");
        assert!(chosen(Some("https://two"), None, None).is_err());
        assert!(chosen(None, Some("cup_x"), None).is_err());
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cupola").join(FILE);
        assert_eq!(kept(&path).unwrap(), None);
        for _ in 0..2 {
            keep(&path, &one().unwrap()).unwrap();
            assert_eq!(kept(&path).unwrap(), one());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, "{").unwrap();
        assert!(kept(&path).unwrap_err().to_string().contains("cupola login"));
    }
}

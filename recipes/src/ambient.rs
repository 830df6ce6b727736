//! The client that recipes use when none is given, so that `Lock::acquire("/lock").await` is a whole program's worth of set-up.
//! It never knows which recipe asks.

use std::sync::{Mutex, PoisonError};

use menagerie_core::client::{CONNECT_VARIABLE, Client, DEFAULT_HOSTS};

use crate::Error;
use crate::limits::check_path;

tokio::task_local! {
    static SCOPED: Client;
}

static DEFAULT: Mutex<Option<Client>> = Mutex::new(None);
/// Held while connecting, so that a hundred tasks that start together make one session.
static CONNECTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Runs `work` with `client` as the ambient client of its task: what tests and multi-tenant programs want. Tasks that `work` spawns
/// do not inherit it. Dropping the future drops `work`.
pub async fn with_client<F: Future>(client: Client, work: F) -> F::Output {
    SCOPED.scope(client, work).await
}

/// Makes `client` the process's ambient client, and returns the one that was. Call it once, where the program starts.
pub fn init(client: Client) -> Option<Client> {
    default_client().replace(client)
}

/// The ambient client: of the task ([`with_client`]), else of the process ([`init`]), else one that connects to `MENAGERIE_CONNECT`
/// (`127.0.0.1:2181` when not set) and becomes the process's own. A process client whose session has ended is replaced by a new
/// connection: guards of the old session stay lost.
///
/// # Errors
/// [`Error::NoClient`] when there is none and none can be made.
pub async fn client() -> Result<Client, Error> {
    if let Ok(client) = SCOPED.try_with(Client::clone) {
        return Ok(client);
    }
    if let Some(client) = usable_default() {
        return Ok(client);
    }
    let _connecting = CONNECTING.lock().await;
    if let Some(client) = usable_default() {
        return Ok(client);
    }
    let hosts = std::env::var(CONNECT_VARIABLE).unwrap_or_else(|_| DEFAULT_HOSTS.to_owned());
    match Client::connect(&hosts).await {
        Ok(client) => {
            init(client.clone());
            Ok(client)
        }
        Err(source) => Err(Error::NoClient { hosts, source }),
    }
}

/// The given client, else the ambient one, for work at `path`. A path that is none is refused before anybody connects.
pub(crate) async fn resolve(given: Option<Client>, path: &str) -> Result<Client, Error> {
    check_path(path)?;
    match given {
        Some(client) => Ok(client),
        None => client().await,
    }
}

fn usable_default() -> Option<Client> {
    default_client().clone().filter(|client| !client.state().is_final())
}

fn default_client() -> std::sync::MutexGuard<'static, Option<Client>> {
    // A panic elsewhere leaves an `Option` that is whole all the same.
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The book's chapters as doc tests: every Rust snippet a reader sees is compiled and run, against a server of its own.
//!
//! The chapters are in `src/`; this crate is not part of what is published, and knows nothing that an application could not.

use std::error::Error;

use menagerie_core::client::Client;
use menagerie_core::embedded::Server;

/// What a snippet may fail with.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Runs a snippet that needs one client, on a fresh server.
pub fn with_client(snippet: impl AsyncFnOnce(Client) -> Result) -> Result {
    with_server(async |hosts| {
        let client = Client::connect(hosts).await?;
        snippet(client.clone()).await?;
        client.close().await?;
        Ok(())
    })
}

/// Runs a snippet that starts its servers itself.
pub fn run(snippet: impl Future<Output = Result>) -> Result {
    tokio::runtime::Runtime::new()?.block_on(snippet)
}

/// Runs a snippet that makes its own clients, on a fresh server; it is given the connect string.
pub fn with_server(snippet: impl AsyncFnOnce(String) -> Result) -> Result {
    run(async {
        let server = Server::start().await?;
        snippet(server.connect_string()).await?;
        server.stop().await;
        Ok(())
    })
}

/// Each chapter with snippets, as the documentation of a module. Only doc tests see them: they are written for mdBook.
#[cfg(doctest)]
mod chapters {
    macro_rules! chapters {
        ($($module:ident = $file:literal;)*) => { $(#[doc = include_str!($file)] pub mod $module {})* };
    }

    chapters! {
        readme = "../README.md";
        introduction = "src/introduction.md";
        quickstart = "src/quickstart.md";
        znodes = "src/concepts/znodes.md";
        watches = "src/concepts/watches.md";
        versions = "src/concepts/versions.md";
        sessions = "src/concepts/sessions.md";
        ensemble = "src/concepts/ensemble.md";
        naive_lock = "src/recipes/naive-lock.md";
        lock = "src/recipes/lock.md";
        master_worker = "src/recipes/master-worker.md";
        testing_your_app = "src/recipes/testing-your-app.md";
        failures = "src/operating/failures.md";
    }
}

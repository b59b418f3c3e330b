//! The operator's door: a Unix socket in the data folder.
//!
//! Who may open it is what the file system says: mode 0600 in a folder of mode 0700. Whoever may open it may read the
//! data folder, with the key over all keys in it, so a secret beside it would guard nothing.
//! Invariants: one socket of a folder, since one process has the folder; a file that an earlier process left is
//! replaced; the file goes when the door is closed.

use std::fs::{Permissions, remove_file, set_permissions};
use std::future::Future;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::UnixListener;

/// Its name in the data folder.
pub const OPERATOR_SOCKET: &str = "operator.sock";

/// The door, open.
pub struct OperatorListener {
    socket: UnixListener,
    router: Router,
    path: PathBuf,
}

impl OperatorListener {
    /// Opens it in a data folder that this process has to itself.
    ///
    /// # Errors
    /// When the socket cannot be made: the folder's path may have more than 90 octets, or the folder is read-only.
    pub fn bind(folder: &Path, router: Router) -> std::io::Result<Self> {
        let path = folder.join(OPERATOR_SOCKET);
        match remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(&path)?;
        set_permissions(&path, Permissions::from_mode(0o600)).map_err(|error| {
            let _ = remove_file(&path);
            Error::new(error.kind(), error)
        })?;
        Ok(Self { socket, router, path })
    }

    /// Answers until it is told to stop; answers under way are given.
    pub async fn serve(self, stopped: impl Future<Output = ()> + Send + 'static) {
        let served = axum::serve(self.socket, self.router).with_graceful_shutdown(stopped).await;
        if let Err(error) = served {
            tracing::warn!(%error, "the operator's door failed");
        }
        // Nobody is harmed by one that is left: the next start replaces it.
        let _ = remove_file(&self.path);
    }
}

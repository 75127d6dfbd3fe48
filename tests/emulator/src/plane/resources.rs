//! Connections to resources: bytes on their way through a resource gateway.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Plane;
use crate::server::ACCEPT_PAUSE;
use crate::state::Outlet;

impl Plane {
    /// Opens the places of resources that are new, and closes those that are gone with all connections through them.
    pub(super) async fn follow_resources(self: &Arc<Self>) {
        let wanted = self.emulator.state().outlets();
        let mut open = self.outlets.lock().await;
        open.retain(|place, (outlet, task)| {
            let stays = wanted.get(place) == Some(outlet);
            if !stays {
                task.abort();
            }
            stays
        });
        for (place, outlet) in wanted {
            if open.contains_key(&place) {
                continue;
            }
            match listen(place) {
                Ok(listener) => {
                    let task = tokio::spawn(Arc::clone(self).carry(listener, outlet.clone()));
                    open.insert(place, (outlet, task));
                }
                // A port below 1024, mostly.
                Err(error) => tracing::warn!(%place, %error, "a resource has no place on the data plane"),
            }
        }
    }

    async fn carry(self: Arc<Self>, listener: TcpListener, outlet: Outlet) {
        let mut connections = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let now = self.emulator.clock.now();
                    let behind = self.emulator.state().behind(now, &outlet);
                    if let Some(behind) = behind {
                        connections.spawn(through(stream, behind));
                    }
                    while connections.try_join_next().is_some() {}
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to a resource was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Also where a connection of an earlier place still ends.
fn listen(place: SocketAddr) -> io::Result<TcpListener> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(place)?;
    socket.listen(BACKLOG)
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

async fn through(mut stream: TcpStream, behind: SocketAddr) {
    let carried = async {
        let mut resource = TcpStream::connect(behind).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut resource).await
    };
    if let Err(error) = carried.await {
        tracing::debug!(%behind, %error, "a connection to a resource ended early");
    }
}

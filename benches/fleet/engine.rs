//! etcd on this machine, one member, reached by loopback.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use precedent::fleet::{
    Store,
    store::{Etcd, EtcdAccess},
};

/// One member, until it is dropped.
pub(crate) struct Engine {
    process: Child,
    folder: PathBuf,
    endpoint: String,
}

impl Engine {
    pub(crate) fn start(scene: &Path) -> Result<Self> {
        let folder = scene.join("etcd");
        let _ = fs::remove_dir_all(scene);
        fs::create_dir_all(&folder)?;
        let (client, peer) = (address()?, address()?);
        let process = Command::new("etcd")
            .args(["--data-dir", &folder.display().to_string()])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("etcd is not here: apt-get install etcd-server")?;
        let engine = Self { process, folder, endpoint: client };
        let store = engine.store()?;
        let begun = Instant::now();
        while store.get("/").is_err() {
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("etcd does not answer");
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(engine)
    }

    pub(crate) fn store(&self) -> Result<Etcd> {
        Ok(Etcd::connect(&EtcdAccess {
            endpoints: vec![self.endpoint.clone()],
            ca: None,
            certificate: None,
            key: None,
            time: Duration::from_secs(30),
        })?)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://127.0.0.1:{}", listener.local_addr()?.port()))
}

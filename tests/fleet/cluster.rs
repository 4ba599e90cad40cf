//! Three members of etcd on loopback, which know one another and their clients by certificates only.

use std::{
    fmt::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use precedent::fleet::store::{Etcd, EtcdAccess, StoreError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) use self::line::Line;

#[path = "line.rs"]
mod line;

/// How long anything may take that etcd does when all is well: this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const MEMBERS: usize = 3;

/// Tests that stop members go one after the other: elections want a machine that answers in time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One cluster for all tests that leave it as it is.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

/// Who vouches for members and nodes.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
}

/// A certificate and its private key.
#[derive(Clone)]
pub(crate) struct Paper {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        write(&folder.join("ca.pem"), &certificate.pem());
        Self { issuer: Issuer::new(params, key), folder }
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for who has this name, for as long as the authority's folder is there.
    pub(crate) fn paper(&self, name: &str) -> Paper {
        let paper = Paper {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        };
        if paper.certificate.exists() {
            return paper;
        }
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        params.distinguished_name.push(DnType::CommonName, name);
        // A member is a client of others, and of itself.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&paper.key, &key.serialize_pem());
        write(&paper.certificate, &certificate.pem());
        paper
    }
}

/// Mode 0600, whole before it has its name: another test may look for it.
fn write(path: &Path, text: &str) {
    let file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    std::fs::write(file.path(), text).unwrap();
    file.persist(path).unwrap();
}

/// Three members. They die with it, and with this process.
pub(crate) struct Cluster {
    authority: Authority,
    folder: TempDir,
    members: Vec<Member>,
}

struct Member {
    client: u16,
    peer: u16,
    process: Mutex<Option<Child>>,
}

/// A node as etcd knows it.
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    /// Whether it may tell others what to do.
    pub(crate) leads: bool,
}

impl Cluster {
    /// Starts all and waits until they work together.
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let members = (0..MEMBERS)
            .map(|_| Member { client: port(), peer: port(), process: Mutex::new(None) })
            .collect();
        let cluster = Self { authority, folder, members };
        for member in 0..MEMBERS {
            cluster.run(member);
        }
        cluster.wait_until_well();
        cluster
    }

    /// What the cluster's files are in, and others may be.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn endpoint(&self, member: usize) -> String {
        format!("https://127.0.0.1:{}", self.members[member].client)
    }

    /// The port that clients reach a member by.
    pub(crate) fn port(&self, member: usize) -> u16 {
        self.members[member].client
    }

    /// How the node of this name reaches all members.
    pub(crate) fn access(&self, name: &str) -> EtcdAccess {
        let paper = self.authority.paper(name);
        EtcdAccess {
            endpoints: (0..MEMBERS).map(|member| self.endpoint(member)).collect(),
            ca: Some(self.authority.ca()),
            certificate: Some(paper.certificate),
            key: Some(paper.key),
            time: Duration::from_secs(5),
        }
    }

    pub(crate) fn connect(&self, name: &str) -> Etcd {
        Etcd::connect(&self.access(name)).unwrap()
    }

    /// Starts a member that does not run, with the data that it has.
    pub(crate) fn run(&self, member: usize) {
        let one = &self.members[member];
        let mut process = one.process.lock().unwrap();
        assert!(process.is_none(), "member {member} runs");
        let https = |port: u16| format!("https://127.0.0.1:{port}");
        let mut all = String::new();
        for (at, other) in self.members.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(all, "{comma}m{at}={}", https(other.peer)).unwrap();
        }
        let paper = self.authority.paper("member");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "etcd", "--logger", "zap", "--log-level", "warn"]);
        command.arg("--name").arg(format!("m{member}"));
        command.arg("--data-dir").arg(self.folder.path().join(format!("m{member}")));
        command.arg("--log-outputs").arg(self.log(member));
        command.arg("--listen-client-urls").arg(https(one.client));
        command.arg("--advertise-client-urls").arg(https(one.client));
        command.arg("--listen-peer-urls").arg(https(one.peer));
        command.arg("--initial-advertise-peer-urls").arg(https(one.peer));
        command.arg("--initial-cluster").arg(all);
        for (kind, peer) in [("", ""), ("peer-", "peer-")] {
            command.arg(format!("--{kind}cert-file")).arg(&paper.certificate);
            command.arg(format!("--{kind}key-file")).arg(&paper.key);
            command.arg(format!("--{peer}client-cert-auth"));
            command.arg(format!("--{kind}trusted-ca-file")).arg(self.authority.ca());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        *process = Some(spawn(command));
    }

    fn log(&self, member: usize) -> PathBuf {
        self.folder.path().join(format!("m{member}.log"))
    }

    /// Kills a member as a power failure would.
    pub(crate) fn kill(&self, member: usize) {
        let mut process = self.members[member].process.lock().unwrap();
        let mut child = process.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Lets a member hang: connections stay, and nothing comes.
    pub(crate) fn hang(&self, member: usize) {
        self.signal(member, Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self, member: usize) {
        self.signal(member, Signal::CONT);
    }

    fn signal(&self, member: usize, signal: Signal) {
        let process = self.members[member].process.lock().unwrap();
        kill_process(Pid::from_child(process.as_ref().expect("it runs")), signal).unwrap();
    }

    /// Which member leads the others.
    pub(crate) fn leader(&self) -> usize {
        let mut leader = None;
        self.wait_until("a leader", || {
            leader = (0..MEMBERS).filter(|at| self.runs(*at)).find(|at| {
                let status = self.ask(*at, &["endpoint", "status", "-w", "json"]);
                let Ok(status) = status else { return false };
                let status: serde_json::Value = serde_json::from_str(&status).unwrap();
                let status = &status[0]["Status"];
                status["leader"].is_u64() && status["leader"] == status["header"]["member_id"]
            });
            leader.is_some()
        });
        leader.unwrap()
    }

    fn runs(&self, member: usize) -> bool {
        self.members[member].process.lock().unwrap().is_some()
    }

    /// Waits until all members that run do what they are there for.
    pub(crate) fn wait_until_well(&self) {
        for member in (0..MEMBERS).filter(|at| self.runs(*at)) {
            self.wait_until(&format!("member {member}"), || {
                self.ask(member, &["endpoint", "health"]).is_ok()
            });
        }
    }

    fn wait_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            if began.elapsed() > PATIENCE {
                for member in 0..MEMBERS {
                    let log = std::fs::read_to_string(self.log(member)).unwrap_or_default();
                    let from = log.len().saturating_sub(3000);
                    println!("member {member}:\n{}", log.get(from..).unwrap_or(&log));
                }
                panic!("no sign of {what} for {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// What `etcdctl` says at one member, as the administrator.
    pub(crate) fn ask(&self, member: usize, arguments: &[&str]) -> Result<String, String> {
        let paper = self.authority.paper("root");
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").arg("--endpoints").arg(self.endpoint(member));
        command.args(["--dial-timeout", "2s", "--command-timeout", "10s"]);
        command.arg("--cacert").arg(self.authority.ca());
        command.arg("--cert").arg(paper.certificate).arg("--key").arg(paper.key);
        let output = command.args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("etcdctl: {error}; {INSTALL}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// What `etcdctl` does at the first member.
    pub(crate) fn administer(&self, arguments: &[&str]) -> String {
        self.ask(0, arguments).unwrap_or_else(|error| panic!("etcdctl {arguments:?}: {error}"))
    }

    /// From now on nodes are told apart by their certificates, and each may do what its part wants and no more:
    /// what `deploy/fleet/etcd-roles` gives it.
    pub(crate) fn tell_apart(&self, fleet: &str, nodes: &[Node<'_>]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/fleet/etcd-roles");
        let paper = self.authority.paper("root");
        let mut command = Command::new(script);
        command.arg(fleet).args(nodes.iter().map(|node| node.name));
        command.arg("--leaders");
        command.args(nodes.iter().filter(|node| node.leads).map(|node| node.name));
        command.env("ETCDCTL_ENDPOINTS", self.endpoint(0));
        command.env("ETCDCTL_CACERT", self.authority.ca());
        command.env("ETCDCTL_CERT", paper.certificate).env("ETCDCTL_KEY", paper.key);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.administer(&["auth", "enable"]);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &self.members {
            let mut process = member.process.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(mut child) = process.take() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

const INSTALL: &str = "install it: apt-get install etcd-server etcd-client util-linux";

/// Starts it in a thread that lives as long as this process: etcd is killed when the thread is gone that started
/// it, and a test's own goes before the cluster that tests share.
pub(crate) fn spawn(command: Command) -> Child {
    type Wanted = (Command, mpsc::Sender<std::io::Result<Child>>);
    static PARENT: OnceLock<Mutex<mpsc::Sender<Wanted>>> = OnceLock::new();
    let parent = PARENT.get_or_init(|| {
        let etcd = Command::new("etcd").arg("--version").output();
        assert!(etcd.is_ok(), "etcd is not here; {INSTALL}");
        let (wish, wanted) = mpsc::channel::<Wanted>();
        thread::spawn(move || {
            for (mut command, answer) in wanted {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(wish)
    });
    let (answer, child) = mpsc::channel();
    parent.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap().unwrap_or_else(|error| panic!("setpriv: {error}; {INSTALL}"))
}

/// A free port that nobody is given who does not ask for it by its number.
pub(crate) fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 190).unwrap() * 100;
    for _ in 0..10_000 {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 1000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {first} on");
}

/// Whether it was refused, and not only not reached.
pub(crate) fn denied(error: &StoreError) -> bool {
    matches!(error, StoreError::Denied(_))
}

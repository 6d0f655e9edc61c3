//! A cluster of three brokers that a test may kill, freeze and starve, one by one.
//!
//! Owns the nodes' folders, ports and processes. Each node has a direct listener for whoever judges, and one listener
//! for each replica of the service, advertised at a port of the test's choice: that of a proxy.
//!
//! Must not know: what a fault is for, or when it ends.

use crate::broker::root;
use crate::free_port;
use crate::service::send_signal;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How many nodes: every topic has as many replicas, and lives with one of them gone.
pub const NODES: usize = 3;

/// How long a node may take to start: it waits for a majority, on a machine that is busy.
const START_SECONDS: &str = "240";

/// One node's ports.
#[derive(Clone, Debug)]
struct Node {
    direct: u16,
    controller: u16,
    /// For each replica: where the node listens for it.
    behind: Vec<u16>,
}

/// The cluster; ended with the value.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    id: String,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Folders and ports for a cluster with so many proxied listeners on each node. Nothing runs yet.
    pub fn new(replicas: usize) -> Cluster {
        let node = |_| Node {
            direct: free_port(),
            controller: free_port(),
            behind: (0..replicas).map(|_| free_port()).collect(),
        };
        let nodes = (0..NODES).map(node).collect();
        // 16 bytes as URL-safe base64: any 21 letters, and a last one that leaves no bits over.
        let id = format!("{:021}A", fastrand::u64(..));
        Cluster { dir: TempDir::new().expect("a folder"), id, nodes }
    }

    /// Where a node listens for a replica: what that replica's proxy leads to.
    pub fn behind(&self, node: usize, replica: usize) -> u16 {
        self.nodes[node].behind[replica]
    }

    /// The direct listeners.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.direct)).collect();
        addresses.join(",")
    }

    /// Starts all nodes at once, each telling replica `r` to reach it at `advertised[r][node]`. Blocks until they serve.
    pub fn start_all(&self, advertised: &[Vec<u16>]) {
        for (node, ports) in self.nodes.iter().enumerate() {
            std::fs::create_dir_all(self.folder(node)).expect("a folder");
            let properties = self.properties(node, ports, advertised);
            std::fs::write(self.folder(node).join("more.properties"), properties).expect("the properties");
        }
        let starting: Vec<Child> =
            (0..NODES).map(|node| self.script("start", node).spawn().expect("it runs")).collect();
        for (node, mut child) in starting.into_iter().enumerate() {
            let status = child.wait().expect("it ends");
            assert!(status.success(), "node {node} did not start: {status}");
        }
    }

    fn properties(&self, node: usize, ports: &Node, advertised: &[Vec<u16>]) -> String {
        let voters: Vec<String> =
            self.nodes.iter().enumerate().map(|(id, node)| format!("{id}@127.0.0.1:{}", node.controller)).collect();
        let mut text = format!("node.id={node}\ncontroller.quorum.voters={}\n", voters.join(","));
        let mut listeners =
            format!("PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}", ports.direct, ports.controller);
        let mut shown = format!("PLAINTEXT://127.0.0.1:{}", ports.direct);
        let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        for (replica, port) in ports.behind.iter().enumerate() {
            write!(listeners, ",REPLICA{replica}://127.0.0.1:{port}").expect("text");
            write!(shown, ",REPLICA{replica}://127.0.0.1:{}", advertised[replica][node]).expect("text");
            write!(protocols, ",REPLICA{replica}:PLAINTEXT").expect("text");
        }
        write!(
            text,
            "listeners={listeners}\nadvertised.listeners={shown}\nlistener.security.protocol.map={protocols}\n\
             inter.broker.listener.name=PLAINTEXT\n\
             min.insync.replicas=2\noffsets.topic.replication.factor=3\n\
             transaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\n\
             share.coordinator.state.topic.replication.factor=3\nshare.coordinator.state.topic.min.isr=2\n\
             replica.lag.time.max.ms=5000\n\
             initial.broker.registration.timeout.ms=240000\ncontroller.quorum.election.timeout.ms=2000\n\
             controller.quorum.fetch.timeout.ms=3000\n"
        )
        .expect("text");
        text
    }

    /// SIGKILL; returns once it is gone.
    pub fn kill(&self, node: usize) {
        self.run("kill", node);
    }

    /// SIGTERM; returns once it is gone.
    pub fn stop(&self, node: usize) {
        self.run("stop", node);
    }

    /// Starts it on the data it has; returns once it serves.
    pub fn start(&self, node: usize) {
        self.run("start", node);
    }

    /// SIGSTOP, or SIGCONT.
    pub fn freeze(&self, node: usize, frozen: bool) {
        if let Some(pid) = self.pid(node) {
            send_signal(pid, if frozen { "STOP" } else { "CONT" });
        }
    }

    /// As on a full disk: every further write to a file fails, until the node is started again.
    pub fn fill_disk(&self, node: usize) {
        if let Some(pid) = self.pid(node) {
            let status = Command::new("prlimit").args(["--pid", &pid.to_string(), "--fsize=0:0"]).status();
            assert!(status.expect("prlimit runs").success(), "the limit of node {node}");
        }
    }

    /// Whether its process runs.
    pub fn is_running(&self, node: usize) -> bool {
        self.pid(node).is_some_and(|pid| Path::new(&format!("/proc/{pid}/stat")).exists())
    }

    /// Keeps the nodes' logs in a folder: of the present start, and of all before.
    pub fn keep_logs(&self, folder: &Path) {
        for node in 0..NODES {
            for name in ["broker.log", "broker.log.1"] {
                let log = self.folder(node).join(name);
                let kept = log.exists().then(|| std::fs::copy(log, folder.join(format!("{node}-{name}"))));
                if let Some(Err(error)) = kept {
                    eprintln!("node {node}, {name}: {error}");
                }
            }
        }
    }

    fn pid(&self, node: usize) -> Option<u32> {
        std::fs::read_to_string(self.folder(node).join("broker.pid")).ok()?.trim().parse().ok()
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.dir.path().join(node.to_string())
    }

    fn script(&self, action: &str, node: usize) -> Command {
        let mut command = Command::new(root().join("tests/kafka/broker.sh"));
        command.arg(action).arg(self.folder(node)).stdout(Stdio::null());
        if action == "start" {
            command.arg(self.nodes[node].direct.to_string());
            command
                .env("KAFKA_CLUSTER_ID", &self.id)
                .env("KAFKA_HEAP", "384m")
                .env("KAFKA_START_SECONDS", START_SECONDS);
        }
        command
    }

    fn run(&self, action: &str, node: usize) {
        let status = self.script(action, node).status().expect("the script runs");
        assert!(status.success(), "broker.sh {action} of node {node}: {status}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..NODES {
            if let Err(error) = self.script("kill", node).status() {
                eprintln!("node {node} was not ended: {error}");
            }
        }
    }
}

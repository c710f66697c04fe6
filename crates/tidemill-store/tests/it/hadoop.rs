//! A real HDFS: a NameNode and a DataNode on free ports of the loopback, ended with the value.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tidemill::{Interrupt, base::clock::Stopwatch};

const START: Duration = Duration::from_secs(120);
/// After so long a daemon ends by itself, should the test be killed.
const AT_MOST_SECONDS: &str = "400";

pub(crate) struct Hadoop {
    port: u16,
    name_node: Option<Child>,
    data_node: Option<Child>,
    folder: TempDir,
}

impl Hadoop {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        configure(folder.path(), port);
        let mut format = daemon(folder.path(), "namenode.NameNode", "format", &["-format", "-nonInteractive"]);
        assert!(format.wait().unwrap().success(), "{}", log(folder.path(), "format"));
        let name_node = daemon(folder.path(), "namenode.NameNode", "namenode", &[]);
        let data_node = daemon(folder.path(), "datanode.DataNode", "datanode", &[]);
        let hadoop = Self { port, name_node: Some(name_node), data_node: Some(data_node), folder };
        hadoop.await_ready();
        hadoop
    }

    pub(crate) fn root(&self) -> String {
        format!("hdfs://127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, folder: &str) -> String {
        format!("{}/{folder}?deadline_seconds=40", self.root())
    }

    fn await_ready(&self) {
        let since = Stopwatch::start();
        let ready = tidemill_store::open(&format!("{}/ready?deadline_seconds=5", self.root())).unwrap();
        loop {
            match ready.put_if_absent("ready", b"ready") {
                Ok(_) => return,
                Err(error) if since.elapsed() > START => {
                    let logs = ["namenode", "datanode"].map(|name| log(self.folder.path(), name));
                    panic!("HDFS is not ready: {error}\n{}", logs.join("\n"));
                }
                Err(_) => drop(Interrupt::new().wait_timeout(Duration::from_millis(300))),
            }
        }
    }

    pub(crate) fn end_data_node(&mut self) {
        end(self.data_node.take());
    }

    pub(crate) fn end_name_node(&mut self) {
        end(self.name_node.take());
    }
}

impl Drop for Hadoop {
    fn drop(&mut self) {
        self.end_data_node();
        self.end_name_node();
    }
}

/// The daemon runs below `timeout`, which passes the signal on.
fn end(child: Option<Child>) {
    let Some(mut child) = child else { return };
    let pid = Pid::from_child(&child);
    let _ = kill_process(pid, Signal::TERM);
    let _ = child.wait();
}

fn jars() -> PathBuf {
    let jars = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../hadoop/jars");
    jars.canonicalize().expect("the jars of HDFS are not there; run ci/hadoop.sh (make hadoop) first")
}

fn daemon(folder: &Path, class: &str, name: &str, arguments: &[&str]) -> Child {
    let output = File::create(folder.join(format!("{name}.log"))).unwrap();
    let class_path = format!("{}:{}/*", folder.display(), jars().display());
    Command::new("timeout")
        .args(["--kill-after=5", AT_MOST_SECONDS, "java", "-Xmx160m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Djava.net.preferIPv4Stack=true", "-cp", &class_path])
        .arg(format!("org.apache.hadoop.hdfs.server.{class}"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .expect("\"timeout\" and \"java\" can be started; see ci/hadoop.sh")
}

fn log(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default()
}

fn configure(folder: &Path, port: u16) {
    let at = |name: &str| format!("file://{}/{name}", folder.display());
    let any = "127.0.0.1:0".to_owned();
    site(
        folder,
        "core-site.xml",
        &[
            ("fs.defaultFS", format!("hdfs://127.0.0.1:{port}")),
            ("hadoop.tmp.dir", folder.join("tmp").display().to_string()),
        ],
    );
    site(
        folder,
        "hdfs-site.xml",
        &[
            ("dfs.replication", "1".into()),
            ("dfs.namenode.rpc-address", format!("127.0.0.1:{port}")),
            ("dfs.namenode.http-address", any.clone()),
            ("dfs.datanode.address", any.clone()),
            ("dfs.datanode.http.address", any.clone()),
            ("dfs.datanode.ipc.address", any),
            ("dfs.namenode.name.dir", at("name")),
            ("dfs.datanode.data.dir", at("data")),
            ("dfs.namenode.datanode.registration.ip-hostname-check", "false".into()),
            ("dfs.namenode.safemode.extension", "0".into()),
        ],
    );
    fs::write(folder.join("log4j.properties"), "log4j.rootLogger=WARN,A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\nlog4j.appender.A.layout=org.apache.log4j.PatternLayout\nlog4j.appender.A.layout.ConversionPattern=%p %m%n\n").unwrap();
    // Their pages are not in the jars, and they do not start without a folder for them.
    for name in ["hdfs", "datanode"] {
        fs::create_dir_all(folder.join("webapps").join(name)).unwrap();
    }
}

fn site(folder: &Path, name: &str, properties: &[(&str, String)]) {
    let property =
        |(name, value): &(&str, String)| format!("<property><name>{name}</name><value>{value}</value></property>");
    let properties: String = properties.iter().map(property).collect();
    fs::write(folder.join(name), format!("<configuration>{properties}</configuration>")).unwrap();
}

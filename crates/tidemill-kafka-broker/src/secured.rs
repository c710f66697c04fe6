//! A listener for users who show who they are, over TLS with a certificate of its own.

use crate::node::free_ports;
use std::{path::PathBuf, process::Command};
use tempfile::TempDir;

/// What protects the certificate's key in its file.
const OF_STORE: &str = "of-the-store";

/// A listener of a broker that takes TLS, and of SASL the mechanisms PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, and OAUTHBEARER with
/// tokens that nobody signed.
#[derive(Debug)]
pub struct Secured {
    port: u16,
    folder: TempDir,
}

impl Secured {
    /// The user that PLAIN and SCRAM know.
    pub const USER: &str = "counter";
    /// The user's password.
    pub const PASSWORD: &str = "of-the-counter";

    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let secured = Self { port: free_ports(1)[0], folder };
        let store = secured.store().display().to_string();
        let of_store = ["-alias", "broker", "-keystore", &store, "-storepass", OF_STORE];
        let name = ["-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1"];
        keytool(&[&["-genkeypair", "-keyalg", "RSA", "-storetype", "PKCS12"], &of_store[..], &name].concat());
        let certificate = secured.certificate().display().to_string();
        keytool(&[&["-exportcert", "-rfc", "-file", &certificate], &of_store[..]].concat());
        secured
    }

    /// Its address, as `bootstrap.servers` wants it.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate that clients have to trust, as `ssl.ca.location` wants it.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store.p12")
    }

    /// What a node is started with.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let (user, password) = (Self::USER, Self::PASSWORD);
        let module = |mechanism: &str, module: &str, options: &str| {
            format!(
                "listener.name.secured.{mechanism}.sasl.jaas.config=org.apache.kafka.common.security.{module} required {options};"
            )
        };
        let scram = |mechanism: &str| format!("--add-scram={mechanism}=[name={user},password={password}]");
        vec![
            format!("secured.port={}", self.port),
            format!("ssl.keystore.location={}", self.store().display()),
            format!("ssl.keystore.password={OF_STORE}"),
            "listener.name.secured.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
            module("plain", "plain.PlainLoginModule", &format!("user_{user}=\"{password}\"")),
            module("scram-sha-256", "scram.ScramLoginModule", ""),
            module("scram-sha-512", "scram.ScramLoginModule", ""),
            module("oauthbearer", "oauthbearer.OAuthBearerLoginModule", "unsecuredLoginStringClaim_sub=\"broker\""),
            scram("SCRAM-SHA-256"),
            scram("SCRAM-SHA-512"),
        ]
    }
}

/// Runs Java's tool for certificates.
fn keytool(arguments: &[&str]) {
    let output =
        Command::new("keytool").args(arguments).output().expect("\"keytool\", which comes with Java, can be run");
    assert!(output.status.success(), "keytool failed: {}", String::from_utf8_lossy(&output.stdout));
}

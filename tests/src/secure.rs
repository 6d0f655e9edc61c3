//! A broker as people run it: nobody may do anything that was not allowed, and who comes has to show who they are.
//!
//! Owns: the broker's listeners, its users with their passwords, and the certificates, which are made anew each time.
//! The tests themselves come in clear text and may do everything: they read what the service wrote.
//!
//! Path: [`SecureBroker::start`]; the `kafka.properties` of one way in, for a configuration file.

use crate::broker::OwnBroker;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A user of the listeners with passwords, and the common name of the certificates.
pub const USER: &str = "relay";
/// The user's password.
pub const PASSWORD: &str = "password-of-the-tests";

/// A broker that denies by default.
#[derive(Debug)]
pub struct SecureBroker {
    broker: OwnBroker,
}

/// The authority that signed the broker's certificate and those of its clients.
pub const CA: &str = "ca.pem";
/// An authority that signed nothing here.
pub const OTHER_CA: &str = "other-ca.pem";

impl SecureBroker {
    /// Starts it; `users` may come in with [`PASSWORD`], besides [`USER`].
    pub fn start(users: &[String]) -> SecureBroker {
        SecureBroker { broker: OwnBroker::start_prepared(5, |dir, port| prepare(dir, port, users)) }
    }

    /// For clients in clear text, who may do everything.
    pub fn bootstrap(&self) -> String {
        self.broker.bootstrap()
    }

    /// A file of the broker's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.broker.folder().join(name)
    }

    /// Address and properties of a user with a password, over TLS, who trusts the authority `ca`.
    pub fn scram(&self, user: &str, password: &str, ca: &str) -> (String, String) {
        let ca = self.file(ca);
        let properties = format!(
            "'security.protocol' = 'sasl_ssl'\n'sasl.mechanisms' = 'SCRAM-SHA-512'\n'sasl.username' = {user:?}\n\
             'sasl.password' = {password:?}\n'ssl.ca.location' = '{}'\n'broker.address.family' = 'v4'",
            ca.display()
        );
        (format!("localhost:{}", self.broker.port() + 2), properties)
    }

    /// Address and properties of who shows the certificate `shown`, if any.
    pub fn certificate(&self, shown: Option<&str>) -> (String, String) {
        let mut properties = format!(
            "'security.protocol' = 'ssl'\n'ssl.ca.location' = '{}'\n'broker.address.family' = 'v4'",
            self.file(CA).display()
        );
        if let Some(name) = shown {
            let file = self.file(&format!("{name}.pem"));
            let file = file.display();
            write!(properties, "\n'ssl.certificate.location' = '{file}'\n'ssl.key.location' = '{file}'")
                .expect("a String takes all");
        }
        (format!("localhost:{}", self.broker.port() + 3), properties)
    }

    /// Address and properties of a user with a password, in clear text.
    pub fn plain(&self, user: &str, password: &str) -> (String, String) {
        let properties = format!(
            "'security.protocol' = 'sasl_plaintext'\n'sasl.mechanisms' = 'PLAIN'\n'sasl.username' = {user:?}\n\
             'sasl.password' = {password:?}"
        );
        (format!("127.0.0.1:{}", self.broker.port() + 4), properties)
    }
}

fn prepare(dir: &Path, port: u16, users: &[String]) {
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("written");
    let ca = authority("authority of the tests");
    write(CA, &ca.pem());
    write(OTHER_CA, &authority("authority of nobody").pem());
    let now = (2020, 2200);
    write("broker.pem", &certificate(&ca, "broker", now));
    write("client.pem", &certificate(&ca, USER, now));
    write("expired.pem", &certificate(&ca, USER, (2020, 2021)));
    write("stranger.pem", &certificate(&authority("authority of nobody"), USER, now));
    write("scram-users", &format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]\n"));
    let all = users.iter().map(String::as_str).chain([USER]);
    let all: Vec<String> = all.map(|user| format!("user_{user}=\"{PASSWORD}\"")).collect();
    let of_listener = |name: &str, offset: u16| format!("{name}:{}", port + offset);
    let listeners = [
        of_listener("PLAINTEXT://127.0.0.1", 0),
        of_listener("SCRAM://localhost", 2),
        of_listener("MTLS://localhost", 3),
        of_listener("PLAIN://127.0.0.1", 4),
    ]
    .join(",");
    let dir = dir.display();
    let properties = format!(
        r"listeners={listeners},{controller}
advertised.listeners={listeners}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,MTLS:SSL,PLAIN:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
listener.name.scram.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.scram.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.plain.sasl.enabled.mechanisms=PLAIN
listener.name.plain.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};
ssl.keystore.type=PEM
ssl.keystore.location={dir}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={dir}/{CA}
listener.name.mtls.ssl.client.auth=required
listener.name.mtls.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
",
        controller = of_listener("CONTROLLER://127.0.0.1", 1),
        users = all.join(" "),
    );
    write("more.properties", &properties);
}

/// An authority of one's own.
pub fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut wanted = CertificateParams::default();
    wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    wanted.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(wanted, KeyPair::generate().expect("a key")).expect("an authority")
}

/// Key and certificate in one file, as both sides take them.
fn certificate(ca: &CertifiedIssuer<'static, KeyPair>, name: &str, (from, to): (i32, i32)) -> String {
    let key = KeyPair::generate().expect("a key");
    let mut wanted = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(DnType::CommonName, name);
    (wanted.not_before, wanted.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    let made = wanted.signed_by(&key, ca).expect("a certificate");
    format!("{}{}", key.serialize_pem(), made.pem())
}

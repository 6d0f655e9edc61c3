//! Rights in a broker, over Kafka's own protocol: the service's client library cannot make them without unsafe code, and
//! Kafka's tool takes seconds for each.
//!
//! Path: [`Acl::of_role`] out of what `topics apply --print-acls --output json` says; [`allow`], which returns once the
//! broker goes by them; [`allowed`] asks.

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// One right of one user. The numbers of Kafka's protocol stand in for its words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    kind: i8,
    /// The topic, group or transactional id.
    pub name: String,
    pattern: i8,
    principal: String,
    operation: i8,
    /// For people.
    pub text: String,
}

const CREATE_ACLS: i16 = 30;
const DESCRIBE_ACLS: i16 = 29;
const ALLOW: i8 = 3;
const ANY: i8 = 1;

impl Acl {
    /// Those of one role, for a user.
    pub fn of_role(printed: &Value, role: &str, user: &str) -> Vec<Acl> {
        let roles = printed["roles"].as_array().expect("roles");
        let role = roles.iter().find(|one| one["role"] == role).expect("the role");
        role["acls"].as_array().expect("rights").iter().map(|one| Acl::read(one, &format!("User:{user}"))).collect()
    }

    /// All that is printed, for whom it is printed.
    pub fn all(printed: &Value) -> BTreeSet<Acl> {
        let roles = printed["roles"].as_array().expect("roles");
        let of = |role: &Value| {
            let principal = role["principal"].as_str().expect("a principal").to_owned();
            let rights = role["acls"].as_array().expect("rights").clone();
            rights.into_iter().map(move |one| Acl::read(&one, &principal))
        };
        roles.iter().flat_map(of).collect()
    }

    /// Whether it is a consumer group's.
    pub fn is_of_group(&self) -> bool {
        self.kind == 3
    }

    fn read(one: &Value, principal: &str) -> Acl {
        let word = |field: &str| one[field].as_str().expect("a word").to_owned();
        let (name, operation) = (word("name"), word("operation"));
        let kind = match word("resource_type").as_str() {
            "topic" => 2,
            "group" => 3,
            "transactional_id" => 5,
            other => panic!("no resource type: {other}"),
        };
        let pattern = if word("pattern_type") == "prefixed" { 4 } else { 3 };
        let number = match operation.as_str() {
            "Read" => 3,
            "Write" => 4,
            "Create" => 5,
            "Describe" => 8,
            "DescribeConfigs" => 10,
            other => panic!("no operation: {other}"),
        };
        let text = format!("{operation} on {} {name}", word("resource_type"));
        Acl { kind, name, pattern, principal: principal.to_owned(), operation: number, text }
    }
}

/// Makes rights, as who comes in clear text and may do so.
pub fn allow(bootstrap: &str, acls: &[Acl]) {
    let mut body = Vec::new();
    body.extend((acls.len() as i32).to_be_bytes());
    for acl in acls {
        body.push(acl.kind as u8);
        string(&mut body, Some(&acl.name));
        body.push(acl.pattern as u8);
        string(&mut body, Some(&acl.principal));
        string(&mut body, Some("*"));
        body.extend([acl.operation as u8, ALLOW as u8]);
    }
    let mut connection = TcpStream::connect(bootstrap).expect("the broker");
    let mut answer = ask(&mut connection, CREATE_ACLS, &body);
    answer.skip(4);
    for _ in 0..answer.i32() {
        let (code, message) = (answer.i16(), answer.string());
        assert_eq!(code, 0, "a right was not made: {message:?}");
    }
    // They are durable now; what the broker goes by follows a moment later.
    let until = Instant::now() + Duration::from_secs(20);
    let wanted = as_told(acls);
    while !allowed(bootstrap).is_superset(&wanted) {
        assert!(Instant::now() < until, "the rights are not in force");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A right as the broker tells it: resource type, name, pattern, principal and operation.
pub type Told = (i8, String, i8, String, i8);

/// What everybody may do.
pub fn allowed(bootstrap: &str) -> BTreeSet<Told> {
    let mut body = vec![ANY as u8];
    string(&mut body, None);
    body.push(ANY as u8);
    string(&mut body, None);
    string(&mut body, None);
    body.extend([ANY as u8, ANY as u8]);
    let mut connection = TcpStream::connect(bootstrap).expect("the broker");
    let mut answer = ask(&mut connection, DESCRIBE_ACLS, &body);
    answer.skip(4);
    let (code, message) = (answer.i16(), answer.string());
    assert_eq!(code, 0, "rights were not told: {message:?}");
    let mut found = BTreeSet::new();
    for _ in 0..answer.i32() {
        let (kind, name, pattern) = (answer.i8(), answer.string().expect("a name"), answer.i8());
        for _ in 0..answer.i32() {
            let (principal, _host) = (answer.string().expect("a principal"), answer.string());
            let (operation, permission) = (answer.i8(), answer.i8());
            assert_eq!(permission, ALLOW);
            found.insert((kind, name.clone(), pattern, principal, operation));
        }
    }
    found
}

/// The same of printed rights.
pub fn as_told<'a>(acls: impl IntoIterator<Item = &'a Acl>) -> BTreeSet<Told> {
    acls.into_iter()
        .map(|acl| (acl.kind, acl.name.clone(), acl.pattern, acl.principal.clone(), acl.operation))
        .collect()
}

fn string(out: &mut Vec<u8>, text: Option<&str>) {
    out.extend(text.map_or(-1, |text| text.len() as i16).to_be_bytes());
    out.extend(text.unwrap_or_default().bytes());
}

/// One request of version 1, without a client's name, and its answer.
fn ask(connection: &mut TcpStream, api: i16, body: &[u8]) -> Answer {
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(1_i16.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    string(&mut request, None);
    request.extend(body);
    connection.write_all(&(request.len() as i32).to_be_bytes()).expect("sent");
    connection.write_all(&request).expect("sent");
    let mut length = [0; 4];
    connection.read_exact(&mut length).expect("an answer");
    let mut bytes = vec![0; i32::from_be_bytes(length) as usize];
    connection.read_exact(&mut bytes).expect("a whole answer");
    let mut answer = Answer { bytes, at: 0 };
    assert_eq!(answer.i32(), 7, "another request's answer");
    answer
}

struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn skip(&mut self, count: usize) {
        self.at += count;
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes[self.at..self.at + N].try_into().expect("as many bytes");
        self.at += N;
        taken
    }

    fn i8(&mut self) -> i8 {
        i8::from_be_bytes(self.take())
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    fn string(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()).ok()?;
        let text = String::from_utf8(self.bytes[self.at..self.at + length].to_vec()).expect("text");
        self.at += length;
        Some(text)
    }
}

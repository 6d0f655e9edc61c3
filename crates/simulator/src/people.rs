//! The invented people of the simulation.
//!
//! Owns every string that stands for personal data, so that a test can grep topics and logs for all of them
//! ([`needles`]). Nothing else in this crate may invent a name, an address or a number.
//!
//! User ids such as `u-1001` are the customer's own keys and no needles.

/// One invented person.
pub(crate) struct Person {
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    pub(crate) full: &'static str,
    pub(crate) full_en: &'static str,
    pub(crate) email: &'static str,
    pub(crate) birth_date: &'static str,
    pub(crate) gender: &'static str,
    pub(crate) nationality: &'static str,
    pub(crate) document: &'static str,
    pub(crate) identity: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) street: &'static str,
    pub(crate) city: &'static str,
    pub(crate) ip: &'static str,
}

macro_rules! person {
    ($first:literal $last:literal, $full:literal $full_en:literal, $email:literal, $birth:literal $gender:literal
     $nation:literal, $document:literal $identity:literal, $phone:literal, $street:literal $city:literal, $ip:literal) => {
        Person {
            first: $first,
            last: $last,
            full: $full,
            full_en: $full_en,
            email: $email,
            birth_date: $birth,
            gender: $gender,
            nationality: $nation,
            document: $document,
            identity: $identity,
            phone: $phone,
            street: $street,
            city: $city,
            ip: $ip,
        }
    };
}

/// All of them. Submissions refer to a person by index.
pub(crate) const PEOPLE: [Person; 8] = [
    person!("Minjiwon" "Quenthorpe", "Quenthorpe Minjiwon" "QUENTHORPE MINJIWON", "minjiwon.quenthorpe@example.com",
        "1992-06-13" "female" "KOR", "M48213907" "920613-2048213", "+821000000001", "17 Seokchon Lantern Road" "Haneulsi", "203.0.113.10"),
    person!("Dariolo" "Vellacourt", "Vellacourt Dariolo" "VELLACOURT DARIOLO", "dariolo.vellacourt@example.com",
        "1978-11-02" "male" "ITA", "YA7730162" "VLLDRL78S02", "+390000000002", "4 Via Sognata" "Pietrafinta", "203.0.113.21"),
    person!("Aikohime" "Sarrazyn", "Sarrazyn Aikohime" "SARRAZYN AIKOHIME", "aikohime.sarrazyn@example.com",
        "1985-01-29" "female" "JPN", "TK5590318" "8501-2977-4410", "+810000000003", "88 Kumo Terrace" "Yumemachi", "203.0.113.32"),
    person!("Tomasin" "Brindlewick", "Brindlewick Tomasin" "BRINDLEWICK TOMASIN", "tomasin.brindlewick@example.com",
        "1969-09-17" "male" "GBR", "517702284" "QQ-61-77-02-C", "+440000000004", "3 Gorsefold Hollow" "Nether Wickby", "203.0.113.43"),
    person!("Leratova" "Mokwenadze", "Mokwenadze Leratova" "MOKWENADZE LERATOVA", "leratova.mokwenadze@example.com",
        "2001-03-30" "female" "ZAF", "A09916243" "0103305916087", "+270000000005", "251 Jacaranda Bend" "Mooidroom", "203.0.113.54"),
    person!("Ingridel" "Falkenrood", "Falkenrood Ingridel" "FALKENROOD INGRIDEL", "ingridel.falkenrood@example.com",
        "1990-12-08" "female" "NOR", "N30877115" "08129033871", "+470000000006", "12 Tindefallveien" "Granfoss", "203.0.113.65"),
    person!("Rafaelio" "Ostrovante", "Ostrovante Rafaelio" "OSTROVANTE RAFAELIO", "rafaelio.ostrovante@example.com",
        "1983-07-21" "male" "BRA", "FZ6612809" "661.280.983-21", "+550000000007", "906 Rua do Vaga-lume" "Porto Lume", "203.0.113.76"),
    person!("유나별" "하늘담", "하늘담 유나별" "HANEULDAM YUNABYEOL", "yunabyeol.haneuldam@example.com",
        "1996-04-05" "female" "KOR", "M70145562" "960405-2701455", "+821000000008", "은하수로 42 구름마을" "별빛시", "203.0.113.87"),
];

/// The administrator who reviews by hand. A person's address, hence a needle.
pub(crate) const REVIEWER: &str = "ops.reviewer@example.com";

/// Free texts of the reviewer. They can hold anything, hence needles.
pub(crate) const REMARKS: [&str; 3] = [
    "caller said the passport belongs to a cousin from the lighthouse",
    "photo shows a different haircut, spoke on the green telephone",
    "applicant asked to be contacted through the violin teacher",
];

/// The person behind an index; any index is valid.
pub(crate) fn person(index: usize) -> &'static Person {
    &PEOPLE[index % PEOPLE.len()]
}

/// Every string that stands for personal data anywhere in the simulation.
///
/// Each is distinctive: finding one in a topic, a log or a metric is a leak, never a coincidence.
pub fn needles() -> Vec<String> {
    let mut needles: Vec<String> = Vec::new();
    for one in &PEOPLE {
        for text in [
            one.first,
            one.last,
            one.full_en,
            one.email,
            one.birth_date,
            one.document,
            one.identity,
            one.phone,
            one.street,
            one.city,
            one.ip,
        ] {
            needles.push(text.to_owned());
        }
    }
    needles.push(REVIEWER.to_owned());
    needles.extend(REMARKS.iter().map(|text| (*text).to_owned()));
    needles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_distinct_and_long_enough_to_be_no_coincidence() {
        let needles = needles();
        for (index, needle) in needles.iter().enumerate() {
            assert!(needle.len() >= 5, "{needle}");
            assert!(!needles[..index].contains(needle), "{needle} twice");
        }
    }
}

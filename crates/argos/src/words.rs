//! ARGOS's words for statuses, in ours.
//!
//! Owns the tables of the enumerations in the ARGOS protocol, section 5, and the spellings of section 8. Pure.

use crate::wire::Word;
use models::{AmlStatus, KycStatus, Risk};

/// The longest status or code that is passed on, in characters; ARGOS's own have at most 40.
pub(crate) const MAX_WORD: usize = 128;

/// The KYC status behind a word; [`KycStatus::Unknown`] for a word without one.
pub(crate) fn kyc_status(word: &str) -> KycStatus {
    match Word::of(word).as_str() {
        // The second is a slip of ARGOS's own pages that may be a real value (2.1).
        "incomplete" | "imcomplete" => KycStatus::Incomplete,
        "pending" => KycStatus::Pending,
        "approved" => KycStatus::Approved,
        "rejected" => KycStatus::Rejected,
        // The JSON form of the label "Deleted Submission" is not documented (4.4).
        "deleted" | "deletedsubmission" => KycStatus::Deleted,
        _ => KycStatus::Unknown,
    }
}

/// Whether a text is the label of a deleted submission. Stricter than [`kyc_status`]: it is looked for outside of
/// status fields too.
pub(crate) fn is_deleted_label(text: &str) -> bool {
    let letters = text.bytes().filter(u8::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    letters.eq(*b"deletedsubmission")
}

/// The screening status behind a word. Never [`AmlStatus::Clear`]: ARGOS shows "Not Screened" both before a
/// screening and after a clean one (section 7).
pub(crate) fn aml_status(word: &str) -> AmlStatus {
    match Word::of(word).as_str() {
        "notscreened" | "nomatchesnotscreened" => AmlStatus::NotScreened,
        "redflag" => AmlStatus::RedFlag,
        _ => AmlStatus::Unknown,
    }
}

/// The risk level behind a word.
pub(crate) fn risk(word: &str) -> Risk {
    match Word::of(word).as_str() {
        "low" => Risk::Low,
        "medium" => Risk::Medium,
        "high" => Risk::High,
        _ => Risk::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_word_has_its_meaning() {
        for (word, status) in [
            ("incomplete", KycStatus::Incomplete),
            ("imcomplete", KycStatus::Incomplete),
            ("Pending", KycStatus::Pending),
            ("approved", KycStatus::Approved),
            ("REJECTED", KycStatus::Rejected),
            ("Deleted Submission", KycStatus::Deleted),
            ("deleted", KycStatus::Deleted),
            ("on_hold", KycStatus::Unknown),
            ("", KycStatus::Unknown),
        ] {
            assert_eq!(kyc_status(word), status, "{word}");
        }
        for (word, status) in [
            ("Not Screened", AmlStatus::NotScreened),
            ("No Matches (Not Screened)", AmlStatus::NotScreened),
            ("Red Flag", AmlStatus::RedFlag),
            ("red_flag", AmlStatus::RedFlag),
            ("Yellow Flag", AmlStatus::Unknown),
        ] {
            assert_eq!(aml_status(word), status, "{word}");
        }
        for (word, level) in [("HIGH", Risk::High), ("Medium", Risk::Medium), ("low", Risk::Low), ("?", Risk::Unknown)]
        {
            assert_eq!(risk(word), level, "{word}");
        }
        assert_eq!(risk("Not Screened"), Risk::Unknown);
    }
}

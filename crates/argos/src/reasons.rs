//! Reject and retry codes -> our categories.
//!
//! Owns the grouping of the codes in the ARGOS protocol, section 5 (`commentCode` and `retryCode`). Both lists are
//! open: a code without a group is `other`, and is passed on verbatim beside it.

/// Every category, for schemas and documentation.
pub const CATEGORIES: [&str; 14] = [
    "document_unreadable",
    "document_invalid",
    "document_expired",
    "document_not_original",
    "missing_data",
    "data_mismatch",
    "face_mismatch",
    "duplicate",
    "country_not_accepted",
    "under_age",
    "address_proof",
    "too_many_attempts",
    "timeout",
    "other",
];

/// The category of a code; case does not matter.
pub fn category(code: &str) -> &'static str {
    match code.to_ascii_lowercase().as_str() {
        "id_image_badimage"
        | "id_image_error"
        | "automatic_verification_fail"
        | "mrz_protocol_fail"
        | "barcode_protocol_fail"
        | "glare_detected" => "document_unreadable",
        "id_image_invalidimage" | "id_image_invalidid" | "invalid_acceptedid" | "invalid_back_document" => {
            "document_invalid"
        }
        "expired_id" | "document_expired" => "document_expired",
        "recaptured_document" | "screen_detected" => "document_not_original",
        "no-date-of-birth"
        | "missing_expiry_date"
        | "missing_issue_date"
        | "missing_birth_date"
        | "missing_document_number"
        | "missing_personal_number"
        | "missing_name" => "missing_data",
        "id_info_datamismatch" | "document_country_mismatch" | "document_name_mismatch" | "document_dob_mismatch" => {
            "data_mismatch"
        }
        // `liveness_error` is seen in the samples of single answers only.
        "face_compare_underscore" | "liveness_error" => "face_mismatch",
        "duplicate_user" | "duplicated_user_pii_exact" | "duplicated_face" => "duplicate",
        // The last is a slip of ARGOS's own pages (section 8, point 29).
        "id_info_blacklist" | "blacklistcountry" | "blackliskcountries" => "country_not_accepted",
        "id_info_notofage" | "under_agelimit" => "under_age",
        "address_image_invalidimage"
        | "address_image_error"
        | "address_image_badimage"
        | "address_info_expireddocument"
        | "address_info_datamismatch" => "address_proof",
        "too_many_retry" => "too_many_attempts",
        "timeout" => "timeout",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_find_their_category() {
        for (code, expected) in [
            ("glare_detected", "document_unreadable"),
            ("id_image_badImage", "document_unreadable"),
            ("invalid_acceptedID", "document_invalid"),
            ("expired_id", "document_expired"),
            ("screen_detected", "document_not_original"),
            ("no-date-of-birth", "missing_data"),
            ("id_info_dataMismatch", "data_mismatch"),
            ("face_compare_underscore", "face_mismatch"),
            ("duplicated_user_PII_exact", "duplicate"),
            ("blackliskCountries", "country_not_accepted"),
            ("under_ageLimit", "under_age"),
            ("address_info_expiredDocument", "address_proof"),
            ("too_many_retry", "too_many_attempts"),
            ("timeout", "timeout"),
            ("something_new", "other"),
            ("", "other"),
        ] {
            assert_eq!(category(code), expected, "{code}");
            assert!(CATEGORIES.contains(&expected), "{expected}");
        }
    }
}

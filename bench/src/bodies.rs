//! Bodies in the shapes and sizes of ARGOS's, about invented people.

use std::fmt::Write;

/// A webhook of 1.6 KB.
pub const WEBHOOK: &str = r#"{"submission_id":"k3f9x1mes3ugzb","email":"minjiwon.quenthorpe@example.com","cf":{"cf1":"branch-07","cf2":"","cf3":""},"applicant_id":"ap_71c0","webhook_trigger":"approved","kyc_result":{"status":"approved","updated_at":"2026-03-02T05:31:10.511Z","created_at":"2026-03-02T05:27:56.279Z","kyc_result_at":"2026-03-02T05:31:10.498Z","reviewer":"system"},"age_group":"adult","gender":"female","date_of_birth":"1992-06-13","nationality":"KOR","duplicated_information":"d41f8c","full_name":"Quenthorpe Minjiwon","full_name_en":"QUENTHORPE MINJIWON","first_name":"Minjiwon","last_name":"Quenthorpe","phoneNumber":"+821000000001","ssnNumber":"***-**-6789","address":{"country":"KOR","city":"Haneulsi","street":"17 Seokchon Lantern Road","zipcode":"48058","formatted":"17 Seokchon Lantern Road, Haneulsi, 48058, KOR"},"ipAddress":"203.0.113.10","idType":"passport","issuingCountry":"KOR","issueDate":"2020-01-05","expireDate":"2030-01-05","documentNumber":"M48213907","identityNumber":"920613-2048213","tokenId":"tok-0001","userid":"u-1001","device":{"os":"android","osVersion":"15","browser":"chrome","model":"SM-S921N","language":"ko-KR"},"additional_list":[{"answer":"occupation","inputValue":"engineer","blockType":"text"},{"answer":"purpose","inputValue":"remittance to family members who live abroad","blockType":"select"},{"answer":"source of funds","inputValue":"salary","blockType":"select"}],"scores":{"faceSimilarityScore":88.2,"livenessScore":99.1,"argos_score":"N/A","recognition_score":"0.98"},"consents":[{"id":"terms","accepted":true,"at":"2026-03-02T05:27:58.100Z"},{"id":"privacy","accepted":true,"at":"2026-03-02T05:27:58.100Z"}]}"#;

/// A single answer.
pub const DOCUMENT: &str = r#"{"Items":[{"submission_id":"k3f9x1mes3ugzb","email":"minjiwon.quenthorpe@example.com","userid":"u-1001","applicant_id":"ap_71c0","tokenId":"tok-0001","created_at":"2026-03-02T05:27:56.279Z","updated_at":"2026-03-02T05:31:10.511Z","kyc_result_at":"2026-03-02T05:31:10.498Z","pending_at":"2026-03-02T05:28:41.002Z","reviewer":"system","data":{"age_group":"adult","first_name":"Minjiwon","last_name":"Quenthorpe","full_name":"Quenthorpe Minjiwon","gender":"female","nationality":"KOR","date_of_birth":"1992-06-13","address_city":"Haneulsi","address_zipcode":"48058","ip_address":"203.0.113.10","idType":"passport","documentNumber":"M48213907","cf1":"branch-07"},"ocr":{"fullName":"QUENTHORPE MINJIWON","identityNumber":"920613-2048213"},"image":{"idImage":"img-ref-1","selfieImage":"img-ref-2"},"kyc":{"result":"approved","comment":[],"commentCode":[],"attempts":[{"attemptCnt":1,"faceSimilarityScore":88.2,"selfieImage":"img-ref-3","verification":{"userName":"Minjiwon"}}],"retry":[{"retryCode":"glare_detected","retryMsg":"glare"}]},"aml":{"raw_data":{"name":"Quenthorpe Minjiwon"},"matches":[],"risk_level_summary":"Not Screened","currentstatus":"Not Screened"},"recognition_score":"0.98","argos_score":"N/A","duplicated_users":["k0000000000a"],"duplicated_information":"d41f8c","additional_list":[{"answer":"occupation","inputValue":"engineer","blockType":"text"}],"project_options":{"option_aml":true,"policy_approvePeriod":0,"webhookURL":"https://example.com/webhooks/secret"}}]}"#;

/// The id of the row of this number.
pub fn id(number: usize) -> String {
    format!("k{number:07}mes3ugzb")
}

/// A page of the list with these rows.
pub fn page(rows: std::ops::Range<usize>) -> String {
    let mut text = r#"{"Items":["#.to_owned();
    let first = rows.start;
    for number in rows {
        let comma = if number == first { "" } else { "," };
        let _infallible = write!(
            text,
            r#"{comma}{{"submission_id":"{}","email":"minjiwon.quenthorpe@example.com","userid":"u-{number}","applicant_id":"ap_71c0","tokenId":"tok-0001","created_at":"2026-03-02T05:27:56.279Z","updated_at":"2026-03-02T05:31:10.511Z","kyc_result_at":"2026-03-02T05:31:10.498Z","reviewer":"system","data":{{"full_name":"Quenthorpe Minjiwon","nationality":"KOR"}},"kyc":{{"result":"approved","comment":[],"commentCode":[]}},"aml":{{"currentstatus":"Not Screened","risk_level_summary":"Not Screened"}}}}"#,
            id(number)
        );
    }
    text.push_str(r#"],"nextpageKey":{"id":"k0000499mes3ugzb","created_at":"2026-03-02T05:27:56.279Z"}}"#);
    text
}

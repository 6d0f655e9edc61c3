//! Bodies in the shapes of ARGOS's pages (ARGOS protocol, sections 2 and 4), about an invented person.

/// What must never be seen outside of a body, whatever the policy. Addresses of reviewers and free texts are
/// governed by the policy and not in this list.
pub(crate) const PERSONAL: [&str; 18] = [
    "Minji",
    "MINJI",
    "minji",
    "Kim",
    "KIM",
    "821000000000",
    "1992-06-13",
    "203.0.113.10",
    "***-**-6789",
    "920613-2",
    "M1234",
    "Haeundae",
    "48058",
    "img-ref",
    "engineer",
    "branch-07",
    "d41f8c",
    "tok-0001",
];

pub(crate) const CREATED: &str = r#"{"webhook_trigger":"created","submission_id":"k3f9x1mes3ugzb","kyc_result":{"status":"incomplete"},"cf":{"cf1":"branch-07"},"userid":"u-1001","tokenId":"tok-0001","retryCode":"glare_detected","attempts":1,"ipAddress":"203.0.113.10"}"#;
pub(crate) const CREATED_PLAIN: &str = r#"{"webhook_trigger":"created","submission_id":"k3f9x1mes3ugzb","kyc_result":{"status":"imcomplete"},"userid":"u-1001"}"#;
pub(crate) const RETRY: &str = r#"{"webhook_trigger":"retry","submission_id":"k3f9x1mes3ugzb","kyc_result":{"status":"incomplete"},"cf":{"cf1":"branch-07"},"userid":"u-1001","tokenId":"tok-0001","retryCode":"face_compare_underscore","attempts":"2","ipAddress":"203.0.113.10"}"#;
pub(crate) const SUBMIT: &str = r#"{"webhook_trigger":"submit","submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","userid":"u-1001","tokenId":"tok-0001","kyc_result":{"status":"pending","created_at":"2026-03-02T05:27:56.279Z","pending_at":"2026-03-02T05:28:41.002Z"}}"#;
pub(crate) const APPROVED_NEW: &str = r#"{"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","cf":{"cf1":"branch-07","cf2":"","cf3":""},"applicant_id":"ap_71c0","webhook_trigger":"approved","kyc_result":{"status":"approved","updated_at":"2026-03-02T05:31:10.511Z","created_at":"2026-03-02T05:27:56.279Z","kyc_result_at":"2026-03-02T05:31:10.498Z","reviewer":"system"},"age_group":"adult","gender":"female","date_of_birth":"1992-06-13","nationality":"KOR","duplicated_information":"d41f8c","full_name":"Kim Minji","full_name_en":"KIM MINJI","first_name":"Minji","last_name":"Kim","phoneNumber":"+821000000000","ssnNumber":"***-**-6789","additional_list":[{"answer":"occupation","inputValue":"engineer","blockType":"text"}]}"#;
pub(crate) const APPROVED_OLD: &str = r#"{"webhook_trigger":"approved","kyc_result":{"status":"approved","update_at":"2024-06-02T05:31:10.511Z","created_at":"2024-06-02T05:27:56.279Z","kyc_result_at":"2024-06-02T05:31:10.498Z","pending_at":"2024-06-02T05:28:41.002Z","reviewer":"system"},"applicant_id":"ap_71c0","submission_id":"k3f9x1lwwzz0ab","email":"minji.kim@example.com","tokenId":"tok-0001","cf":{"cf1":"branch-07","cf2":"","cf3":""},"userid":"u-1001","age_group":"adult","gender":"female","date_of_birth":"1992-06-13","nationality":"KOR","ipAddress":"203.0.113.10","fullName":"Kim Minji","idType":"passport","issuingCountry":"KOR","issueDate":"2020-01-05","expireDate":"2030-01-05","identityNumber":"920613-2******","documentNumber":"M1234","additional_list":{"answer":"occupation","inputValue":"engineer"}}"#;
pub(crate) const REJECTED: &str = r#"{"webhook_trigger":"rejected","kyc_result":{"status":"rejected","comment":"KYC rejected due to timeout.","updated_at":"2026-03-03T05:28:00.120Z","commentCode":"timeout"},"submission_id":"k3f9x1mes3ugzb","duplicated_information":"d41f8c","applicant_id":"ap_71c0","email":"minji.kim@example.com","userid":"u-1001"}"#;
pub(crate) const REJECTED_LISTS: &str = r#"{"webhook_trigger":"rejected","kyc_result":{"status":"rejected","comment":["a","b"],"updated_at":"2026-03-03T05:28:00.120Z","commentCode":["timeout","other"]},"submission_id":"k3f9x1mes3ugzb"}"#;
pub(crate) const UPDATED: &str = r#"{"webhook_trigger":"updated","submission_id":"k3f9x1mes3ugzb","duplicated_information":"d41f8c","email":"minji.kim@example.com","data":{"update":["kycStatus","fullName"],"kyc_result":"rejected","pending_at":"2026-03-02T05:28:41.002Z","reviewer":"ops@example.com"},"admin":"ops@example.com","update_time":"2026-03-05T01:02:03.004Z","date_of_birth":"1992-06-13","full_name":"Kim Minji","userid":"u-1001"}"#;
pub(crate) const DELETE: &str = r#"{"webhook_trigger":"delete","submission_id":"k3f9x1mes3ugzb","account_email":"ops@example.com","delete_time":"2026-04-01T00:00:05.000Z","comment":"retention period ended"}"#;
pub(crate) const INJECTION: &str = r#"{"webhook_trigger":"injection","action":{"type":"address","created_at":"2026-03-10T04:05:06.007Z"},"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","kyc_status":"approved","applicant_id":"ap_71c0","userid":"u-1001","cf1":"branch-07","cf2":"","cf3":"","tokenId":"tok-0001"}"#;
pub(crate) const INJECTION_FAIL: &str = r#"{"webhook_trigger":"injectionFail","action":{"type":"address","created_at":"2026-03-10T04:05:06.007Z","failCode":"distanceChecks_ipGeo"},"submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","kyc_status":"approved","duplicated_information":"d41f8c"}"#;
pub(crate) const AML: &str = r#"{"webhook_trigger":"aml","submission_id":"k3f9x1mes3ugzb","duplicated_information":"d41f8c","email":"minji.kim@example.com","userid":"u-1001","cf":{"cf1":"branch-07"},"aml_result":{"currentstatus":"Red Flag","risk_level_summary":"HIGH"},"tokenId":"tok-0001"}"#;
pub(crate) const AML_CLEAN: &str = r#"{"webhook_trigger":"aml","submission_id":"k3f9x1mes3ugzb","aml_result":{"currentstatus":"Not Screened","risk_level_summary":"Not Screened"}}"#;
pub(crate) const AML_MONITOR: &str = r#"{"webhook_trigger":"aml_monitor","submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","records":[{"recordId":"mes3uzetD55S_k3f9x1mes3ugzb","worklistId":"wl_01","created_at":"2026-03-02T05:40:00.000Z"}],"userid":"u-1001","tokenId":"tok-0001","cf":{"cf1":"branch-07"}}"#;
pub(crate) const FACE_OLDEST: &str = r#"{"webhook_trigger":"faceAuth","auth_id":"auth_0001","data":{"submission_id":"k3f9x1mes3ugzb","auth_status":"approved","create_time":"2026-05-01T00:00:00.000Z","user_id":"u-1001","cf1":"branch-07"}}"#;
pub(crate) const FACE_MIDDLE: &str = r#"{"webhook_trigger":"faceAuth","Authentication_id":"auth_0001","data":{"Submission_id":"k3f9x1mes3ugzb","Auth_Status":"approved","Create_Time":"2026-05-01T00:00:00.000Z","User_id":"u-1001","cf1":"branch-07","reference":{"userid":"u-1001"}}}"#;
pub(crate) const FACE_NEWEST: &str = r#"{"webhook_trigger":"faceAuth","data":{"Submission_id":"k3f9x1mes3ugzb","Auth_Status":"rejected","Create_Time":"2026-05-01T00:00:00.000Z","Auth_User_id":"u-1001","Auth_cf1":"","Token_id":"tok-0002","reference":{"userid":"u-1001","email":"minji.kim@example.com","cf":{"cf1":"branch-07"}},"Authentication_id":"auth_0001"}}"#;
pub(crate) const OTHER_PRODUCT: &str = r#"{"webhook_trigger":"argos_id_auth","consent_id":"c-1","authed_at":"2026-03-02T05:27:56.279Z","argos_id":"a-1","request_id":"r-1"}"#;
pub(crate) const OTHER_AML: &str =
    r#"{"webhook_trigger":"aml","consent_id":"c-1","aml_result":{"currentstatus":"Red Flag"}}"#;

/// The full single answer, decided by the system.
pub(crate) const FULL: &str = r#"{"Items":[{
 "submission_id":"k3f9x1mes3ugzb","email":"minji.kim@example.com","userid":"u-1001","applicant_id":"ap_71c0","tokenId":"tok-0001",
 "created_at":"2026-03-02T05:27:56.279Z","updated_at":"2026-03-02T05:31:10.511Z","kyc_result_at":"2026-03-02T05:31:10.498Z",
 "pending_at":"2026-03-02T05:28:41.002Z","reviewer":"system","memo":{"text":"Minji called","updated_at":"2026-09-09T00:00:00.000Z"},
 "data":{"age_group":"adult","first_name":"Minji","last_name":"Kim","full_name":"Kim Minji","gender":"female","nationality":"KOR",
  "date_of_birth":"1992-06-13","address_city":"Haeundae","address_zipcode":"48058","ip_address":"203.0.113.10","idType":"passport",
  "documentNumber":"M1234","cf1":"branch-07"},
 "ocr":{"fullName":"KIM MINJI","identityNumber":"920613-2******"},
 "image":{"idImage":"img-ref-1","selfieImage":"img-ref-2"},
 "kyc":{"result":"approved","comment":[],"commentCode":[],
  "attempts":[{"attemptCnt":1,"faceSimilarityScore":88.2,"selfieImage":"img-ref-3","verification":{"userName":"Minji"}}],
  "retry":[{"retryCode":"glare_detected","retryMsg":"glare"}]},
 "aml":{"raw_data":{"name":"Kim Minji"},"matches":[],"risk_level_summary":"Not Screened","currentstatus":"Not Screened"},
 "recognition_score":"0.98","argos_score":"N/A","duplicated_users":["k0000000000a"],"duplicated_information":"d41f8c",
 "additional_list":[{"answer":"occupation","inputValue":"engineer","blockType":"text"}],
 "project_options":{"option_aml":true,"policy_approvePeriod":0,"webhookURL":"https://example.com/webhooks/secret"}}]}"#;

/// The knowledge-based pipeline, rejected by a person.
pub(crate) const KNOWLEDGE: &str = r#"{"Items":[{
 "data":{"name":"Kim Minji","gender":"female","nationality":"KOR","date_of_birth":"1992-06-13","address_formatted":"1 Haeundae-ro",
  "address_detail":"48058","ssnNumber":"***-**-6789","phoneNumber":"+821000000000","cf1":"branch-07"},
 "email":"minji.kim@example.com","submission_id":"19lwz38kczv2mnw","created_at":"2026-03-02-05-27-56-UTC","updated_at":"2026-03-03-01-00-00-120",
 "userid":"u-1001","reviewer":"ops@example.com",
 "kyc":{"result":"rejected","comment":["the caller was not the applicant"],"commentCode":["other"]},
 "updateHistory":{"updateAdmin":"ops@example.com","updateTime":"2026-03-05T01:02:03.004Z"},
 "aml":{"currentstatus":"Red Flag","risk_level_summary":"HIGH","matches":[{"resourceId":"r-1"},{"resourceId":"r-2"}]}}]}"#;

/// Too many attempts, as the page of the single answer shows them: codes within the attempts, no clock.
pub(crate) const ATTEMPTS: &str = r#"{"Items":[{"data":{"full_name":"Kim Minji"},"submission_id":"6xx28lo115832","created_at":"2026-03-02T05:27:56.279Z",
 "kyc":{"result":"rejected","comment":["Multiple invalid KYC attempts"],"commentCode":["too_many_retry"],
 "attempts":[{"attemptCnt":1,"retryMsg":["closer"],"retryCode":["liveness_error"]},{"attemptCnt":2,"retryCode":["liveness_error"]},
 {"attemptCnt":"3","livenessScore":99,"retryCode":["face_compare_underscore"]}]},"projection":{"projectionId":"p-1","projectionName":"n"}}]}"#;

/// A list with thin rows and a next page.
pub(crate) const LIST: &str = r#"{"Items":[
 {"data":{"full_name":"Kim Minji"},"submission_id":"k3f9x1mes3ugzb","created_at":"2026-03-02T05:27:56.279Z","updated_at":"2026-03-02T05:31:10.511Z",
  "kyc":{"result":"approved"},"aml":{"currentstatus":"Red Flag","risk_level_summary":"LOW"}},
 {"email":"minji.kim@example.com","submission_id":"6xx28lo115832","created_at":"2026-03-02-05-27-56-UTC","kyc":{"result":"rejected","commentCode":["timeout"]}},
 {"email":"minji.kim@example.com","kyc":{"result":"approved"}},
 "what is this",
 {"submission_id":"a\u0007b"}],
 "nextpageKey":{"id":"6xx28lo115832","created_at":"2026-03-02T05:27:56.279+00:00"}}"#;

// Generated from contracts/schemas/kyc.submission.state.v1.json by contract.sh with cargo-typify 0.6.2: do not edit.
// schema: d1844343c74036aa61c583ca4b3716700d382c5a620356c3e56ab02647b1d1d8

#[doc = "The screening, as last confirmed, with what notices add."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct Aml {
    #[doc = "How many matches are shown."]
    pub matches: i64,
    #[doc = "Whether ongoing monitoring is known to be registered."]
    pub monitoring: Monitoring,
    #[doc = "When the notice of the monitoring came (our clock)."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub monitoring_notice_at: ::std::option::Option<::std::string::String>,
    #[doc = "When a notice of a finished screening came (our clock)."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub notice_at: ::std::option::Option<::std::string::String>,
    #[doc = "The risk level."]
    pub risk: Risk,
    #[doc = "Our word for the status."]
    pub status: AmlStatus,
    #[doc = "ARGOS's word, verbatim; empty if it shows none."]
    pub vendor_status: ::std::string::String,
}
#[doc = "Where the watch-list screening stands.\n\nKnown words; more may come:\n\n- `not_screened`: Not screened as far as is known. ARGOS shows the same for \"screened, no match\".\n- `clear`: A screening was noticed, and a GET after it shows an approved submission that is not flagged.\n- `red_flag`: Similar to a listed person; not guilt, and no KYC decision.\n- `unknown`: A value without a word of ours; the raw one stands beside it."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct AmlStatus(pub ::std::string::String);
impl ::std::ops::Deref for AmlStatus {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<AmlStatus> for ::std::string::String {
    fn from(value: AmlStatus) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for AmlStatus {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for AmlStatus {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for AmlStatus {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
#[doc = "The identity check, as last confirmed."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct Kyc {
    #[doc = "When it was decided, by the vendor's clock."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub decided_at: ::std::option::Option<::std::string::String>,
    #[doc = "Whether the system or a person decided."]
    pub origin: Origin,
    #[doc = "Why, in the vendor's order."]
    pub reasons: ::std::vec::Vec<Reason>,
    #[doc = "How often the applicant had to try again."]
    pub retries: i64,
    #[doc = "`system`, or a person's address where the personal-data policy lets it in; that one may be sealed."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub reviewer: ::std::option::Option<::std::string::String>,
    #[doc = "Our word for the status."]
    pub status: KycStatus,
    #[doc = "ARGOS's word, verbatim."]
    pub vendor_status: ::std::string::String,
}
#[doc = "Where the identity check of a submission stands.\n\nKnown words; more may come:\n\n- `incomplete`: The applicant has not finished.\n- `pending`: A person has to decide.\n- `approved`: Accepted. Can still be reversed by the vendor's users.\n- `rejected`: Refused. Can still be reversed by the vendor's users.\n- `deleted`: Shown as deleted by the vendor, or confirmed absent.\n- `unknown`: A value without a word of ours; the raw one stands beside it."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct KycStatus(pub ::std::string::String);
impl ::std::ops::Deref for KycStatus {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<KycStatus> for ::std::string::String {
    fn from(value: KycStatus) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for KycStatus {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for KycStatus {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for KycStatus {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
#[doc = "The value of the compacted state topic: what is true now."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct KycSubmissionStateV1 {
    #[doc = "The screening."]
    pub aml: Aml,
    #[doc = "When the GET that confirms this started."]
    pub confirmed_at: ::std::string::String,
    #[doc = "The identity check."]
    pub kyc: Kyc,
    #[doc = "The sequence of the last event; 0 for a baseline."]
    pub sequence: i64,
    #[doc = "Whose."]
    pub submission: SubmissionFacts,
    #[doc = "The vendor's clock at that GET. A later look that finds the same facts under a newer clock writes no snapshot."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub vendor_updated_at: ::std::option::Option<::std::string::String>,
}
#[doc = "Ongoing AML monitoring. ARGOS's GET does not show it; a notice does.\n\nKnown words; more may come:\n\n- `unknown`: No notice of a registration came.\n- `registered`: A sufficiently authenticated notice told of a registration."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Monitoring(pub ::std::string::String);
impl ::std::ops::Deref for Monitoring {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<Monitoring> for ::std::string::String {
    fn from(value: Monitoring) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for Monitoring {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for Monitoring {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for Monitoring {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
#[doc = "Who decided the KYC result.\n\nKnown words; more may come:\n\n- `automatic`: The vendor's system.\n- `manual`: A person.\n- `unknown`: Not decided, or not told."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Origin(pub ::std::string::String);
impl ::std::ops::Deref for Origin {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<Origin> for ::std::string::String {
    fn from(value: Origin) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for Origin {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for Origin {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for Origin {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
#[doc = "Why a submission was rejected, or had to be tried again."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct Reason {
    #[doc = "Our grouping of the code, for example `document_unreadable`; `other` when the code has no group."]
    pub category: ::std::string::String,
    #[doc = "The vendor's code, verbatim; an open list. Empty if only a text was given."]
    pub code: ::std::string::String,
    #[doc = "The reviewer's free text; null unless the personal-data policy lets it in. May be sealed."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub text: ::std::option::Option<::std::string::String>,
}
#[doc = "The vendor's summary of the AML risk.\n\nKnown words; more may come:\n\n- `unknown`: No level shown.\n- `low`: Low.\n- `medium`: Medium.\n- `high`: High."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Risk(pub ::std::string::String);
impl ::std::ops::Deref for Risk {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<Risk> for ::std::string::String {
    fn from(value: Risk) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for Risk {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for Risk {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for Risk {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
#[doc = "Whose submission it is."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct SubmissionFacts {
    #[doc = "When the submission was made, by the vendor's clock."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub created_at: ::std::option::Option<::std::string::String>,
    #[doc = "ARGOS's id."]
    pub id: ::std::string::String,
    #[doc = "The operator's name of the project."]
    pub project: ::std::string::String,
    #[doc = "The customer's own id of the user, as given to ARGOS; null where the personal-data policy leaves it out. May be\nsealed."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub user_id: ::std::option::Option<::std::string::String>,
}

// Generated from contracts/schemas/kyc.submission.approved.v1.json by contract.sh with cargo-typify 0.6.2: do not edit.
// schema: 564de3b9ac3cb057ecd3e01a7d17eec89bebae2ac21f6d63284957b468edc32e

#[doc = "How the confirmed truth stands to what the hints claimed.\n\nKnown words; more may come:\n\n- `agrees`: It shows what was claimed.\n- `ahead`: It is newer than what was claimed.\n- `behind`: It does not show what was claimed (yet).\n- `none`: Nothing was claimed."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Agreement(pub ::std::string::String);
impl ::std::ops::Deref for Agreement {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<Agreement> for ::std::string::String {
    fn from(value: Agreement) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for Agreement {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for Agreement {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for Agreement {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        self.0.fmt(f)
    }
}
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
#[doc = "What made us look.\n\nKnown words; more may come:\n\n- `webhook`: A webhook.\n- `sweep`: A list walk.\n- `recheck`: A schedule of ours.\n- `backfill`: An operator's backfill.\n- `operator`: An operator's request for this submission."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct Cause(pub ::std::string::String);
impl ::std::ops::Deref for Cause {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<Cause> for ::std::string::String {
    fn from(value: Cause) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::string::String> for Cause {
    fn from(value: ::std::string::String) -> Self {
        Self(value)
    }
}
impl ::std::str::FromStr for Cause {
    type Err = ::std::convert::Infallible;
    fn from_str(value: &str) -> ::std::result::Result<Self, Self::Err> {
        Ok(Self(value.to_string()))
    }
}
impl ::std::fmt::Display for Cause {
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
#[doc = "Approved; also when a rejection is reversed."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct KycSubmissionApprovedV1 {
    #[doc = "The screening as confirmed."]
    pub aml: Aml,
    #[doc = "The published facts that differ, by path; `personal_data` for a change of what is not published."]
    pub changed: ::std::vec::Vec<::std::string::String>,
    #[doc = "The identity check as confirmed."]
    pub kyc: Kyc,
    #[doc = "What was published before; `null` for the first event."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub previous: ::std::option::Option<Previous>,
    #[doc = "Where this comes from."]
    pub provenance: Provenance,
    #[doc = "Whose."]
    pub submission: SubmissionFacts,
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
#[doc = "The state before the confirmation that yields this event. Events of one confirmation share it, except that\n`sequence` is always one less than the event's own."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct Previous {
    #[doc = "The AML status that was last published."]
    pub aml_status: AmlStatus,
    #[doc = "The KYC status that was last published."]
    pub kyc_status: KycStatus,
    #[doc = "The sequence of the event before this one."]
    pub sequence: i64,
}
#[doc = "Where an event comes from. Not facts: two confirmations of the same facts may differ here."]
#[doc = r""]
#[derive(:: serde :: Deserialize, :: serde :: Serialize, Clone, Debug)]
pub struct Provenance {
    #[doc = "How the truth stands to the claims."]
    pub agreement: Agreement,
    #[doc = "What made us look."]
    pub cause: Cause,
    #[doc = "When the GET that confirms this started."]
    pub confirmed_at: ::std::string::String,
    #[doc = "The fingerprint of the facts, 32 hex characters."]
    pub fingerprint: ::std::string::String,
    #[doc = "The newest hint."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub hint_id: ::std::option::Option<::std::string::String>,
    #[doc = "When it came."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub hinted_at: ::std::option::Option<::std::string::String>,
    #[doc = "What the AML notice behind `clear` passed at the door; empty if no notice was used."]
    pub notice_authentication: ::std::vec::Vec<::std::string::String>,
    #[doc = "The vendor's trigger of the newest hint; `unknown` for a word that is none of the documented ones."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub trigger: ::std::option::Option<::std::string::String>,
    #[doc = "The vendor's clock of the truth."]
    #[serde(default, skip_serializing_if = "::std::option::Option::is_none")]
    pub vendor_updated_at: ::std::option::Option<::std::string::String>,
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

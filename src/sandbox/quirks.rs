//! The open questions of the fact sheets, as switches: a test can play both sides of each.

/// What the record search does when `page` and `searchAfter` come together (HighLevel fact sheet §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageWithSearchAfter {
    /// The cursor wins and `page` is ignored; `page` may be absent beside a cursor.
    Ignore,
    /// 422, as the sibling opportunity search documents.
    Reject,
    /// `page` must be there, as the OpenAPI file says; the cursor wins.
    Require,
}

/// What the record search does with `sort` (in no OpenAPI file; HighLevel fact sheet §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Rows come in the order asked for.
    Honour,
    /// Rows come in the default order, newest creation first.
    Ignore,
    /// 422 `property sort should not exist`.
    Reject,
}

/// One public field per behaviour that the fact sheets call unknown or contradictory.
#[derive(Clone, Debug)]
pub struct Quirks {
    /// `page` beside `searchAfter` in a record search.
    pub page_with_search_after: PageWithSearchAfter,
    /// Rows that page mode reaches; a page beyond it is 400 and needs `searchAfter`.
    pub page_reach: usize,
    /// Largest `pageLimit` of a search; above it 422.
    pub max_page_limit: usize,
    /// What `sort` does.
    pub sort: Sort,
    /// Whether records carry `relations` filled (else an empty list).
    pub relations_in_records: bool,
    /// Whether `properties` of records is a JSON string instead of an object.
    pub properties_as_string: bool,
    /// Whether NUMERICAL properties are read as strings.
    pub numbers_as_strings: bool,
    /// Whether PUT keeps the properties that the body does not name.
    pub put_merges: bool,
    /// Whether `Version: v3` is refused on calls that take `locationId` in the body (HighLevel fact sheet §7.6).
    pub v3_refuses_body_location: bool,
    /// Whether `import/info` names updated contacts in `success[]` (else only the newly created ones).
    pub success_names_updated: bool,
    /// Whether a row on the exclusion list is named in `failure[]` (else it is left out without a word; ActiveCampaign fact
    /// sheet §3.3).
    pub exclusions_are_named: bool,
    /// Whether a rate-limit answer carries `Retry-After` (both APIs).
    pub retry_after: bool,
    /// Status of ActiveCampaign's rate-limit answer: 429, or 503 as once reported.
    pub throttle_status: u16,
    /// Whether answers carry the rate-limit headers (both APIs).
    pub rate_headers: bool,
    /// Whether `""` clears a date or datetime field (else the old value stays).
    pub empty_date_clears: bool,
    /// First index in `failureReasons[].contact` of a refused import: 0 or 1.
    pub failure_index_base: usize,
    /// Whether the contact list honours `include=…`.
    pub include_side_loads: bool,
    /// Whether a deleted contact, read by id, is 200 with the e-mail `deleted+<id>@example.com` (else 404).
    pub deleted_contacts_answer: bool,
    /// Body of an ActiveCampaign answer to a wrong token.
    pub bad_token_body: BadTokenBody,
}

/// Body of ActiveCampaign's 403 for a wrong token (recorded nowhere; ActiveCampaign fact sheet §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTokenBody {
    /// `{"message":"Forbidden"}`.
    Json,
    /// No body.
    Empty,
    /// An HTML page.
    Html,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            page_with_search_after: PageWithSearchAfter::Ignore,
            page_reach: 10_000,
            max_page_limit: 100,
            sort: Sort::Honour,
            relations_in_records: true,
            properties_as_string: false,
            numbers_as_strings: false,
            put_merges: true,
            v3_refuses_body_location: false,
            success_names_updated: true,
            exclusions_are_named: true,
            retry_after: true,
            throttle_status: 429,
            rate_headers: true,
            empty_date_clears: true,
            failure_index_base: 0,
            include_side_loads: true,
            deleted_contacts_answer: false,
            bad_token_body: BadTokenBody::Json,
        }
    }
}

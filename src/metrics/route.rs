//! The route of a call: its path without ids, out of a list that does not grow with what is asked for.

use crate::model::call::Api;

/// Routes of HighLevel (fact sheet §2 to §5). What is written out goes before what stands in braces.
const HIGHLEVEL: &[&str] = &[
    "/objects",
    "/objects/{key}",
    "/objects/{key}/records",
    "/objects/{key}/records/search",
    "/objects/{key}/records/{id}",
    "/associations",
    "/associations/key/{name}",
    "/associations/objectKey/{key}",
    "/associations/relations",
    "/associations/relations/{id}",
    "/associations/{id}",
    "/custom-fields/object-key/{key}",
    "/contacts",
    "/contacts/search",
    "/contacts/{id}",
    "/locations/{id}",
    "/oauth/token",
];

/// Routes of ActiveCampaign (fact sheet §2 to §5), below `/api/3`.
const ACTIVECAMPAIGN: &[&str] = &[
    "/audiences",
    "/automations",
    "/contact/sync",
    "/contactAutomations",
    "/contactAutomations/{id}",
    "/contactLists",
    "/contactLists/{id}",
    "/contactTags",
    "/contactTags/{id}",
    "/contacts",
    "/contacts/{id}",
    "/contacts/{id}/contactAutomations",
    "/contacts/{id}/contactLists",
    "/contacts/{id}/contactTags",
    "/contacts/{id}/fieldValues",
    "/contacts/{id}/scoreValues",
    "/contacts/{id}/trackingLogs",
    "/event",
    "/eventTrackingEvents",
    "/fieldOption/bulk",
    "/fieldRels",
    "/fieldRels/{id}",
    "/fieldValues",
    "/fieldValues/{id}",
    "/fields",
    "/fields/{id}",
    "/import/bulk_import",
    "/import/info",
    "/lists",
    "/lists/{id}",
    "/scores",
    "/segmentMatch/{id}/{id}",
    "/segments",
    "/segmentsV2",
    "/tags",
    "/tags/{id}",
    "/users/me",
];

/// What calls beyond the list are counted as: a person may send any with `tramline api`.
const OTHER: &str = "other";

/// The route of a path with its query.
pub fn route(api: Api, path: &str) -> &'static str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_end_matches('/');
    let routes = match api {
        Api::HighLevel => HIGHLEVEL,
        Api::ActiveCampaign => ACTIVECAMPAIGN,
    };
    routes
        .iter()
        .find(|route| fits(route, path))
        .copied()
        .unwrap_or(OTHER)
}

fn fits(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let all = route.split('/').all(|wanted| match parts.next() {
        Some(part) => part == wanted || (wanted.starts_with('{') && !part.is_empty()),
        None => false,
    });
    all && parts.next().is_none()
}

/// The method of a call, as a label.
pub fn method(name: &str) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_out_and_what_is_unknown_is_one() {
        let highlevel = |path| route(Api::HighLevel, path);
        assert_eq!(highlevel("/objects/?locationId=x"), "/objects");
        assert_eq!(
            highlevel("/objects/custom_objects.pets/records/search"),
            "/objects/{key}/records/search"
        );
        assert_eq!(
            highlevel("/objects/custom_objects.pets/records/66b1?a=b"),
            "/objects/{key}/records/{id}"
        );
        let activecampaign = |path| route(Api::ActiveCampaign, path);
        assert_eq!(activecampaign("/contacts?email=a%40b.org"), "/contacts");
        assert_eq!(
            activecampaign("/contacts/7/fieldValues"),
            "/contacts/{id}/fieldValues"
        );
        for odd in [
            "/contacts/7/a@b.org",
            "",
            "/",
            "//",
            "/contacts//fieldValues",
            "/a/b/c/d",
        ] {
            assert_eq!(activecampaign(odd), OTHER, "{odd}");
        }
    }

    #[test]
    fn what_is_written_out_goes_first() {
        for routes in [HIGHLEVEL, ACTIVECAMPAIGN] {
            for (place, route) in routes.iter().enumerate() {
                let first = routes.iter().position(|earlier| fits(earlier, route));
                assert_eq!(first, Some(place), "{route} is hidden by an earlier one");
            }
        }
    }
}

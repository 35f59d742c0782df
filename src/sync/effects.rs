//! Acting on rules (sync.md, promise 3): what the rules want of a record, and each effect on its way: looked up, marked,
//! sent, ended. An effect whose request may have arrived is read back before anything is sent again.

mod action;

use super::account::Account;
use super::breaker::{Probed, probe};
use super::job::{Desk, Stop};
use super::plan::version;
use crate::activecampaign::Sent;
use crate::http::ApiError;
use crate::mapping::{JudgedRule, Mapping};
use crate::model::call::Api;
use crate::model::{
    ContactId, EffectState, Email, ErrorClass, Problem, Properties, Record, RelatedContact,
};
use crate::store::{
    Claim, ConfirmedState, EffectEnd, EffectPlan, ListEffect, NEVER, OpenEffect, Store, TurnPlan,
    TurnedFrom,
};
use action::{Found, Prepared};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// What cannot be repeated is not believed absent sooner than this after its request ended: it may still be on its way
/// inside ActiveCampaign.
const QUIET: Duration = Duration::from_secs(3);
/// The log of events follows later; after this time an event that it does not tell of is unknown.
const LOG_LAG: Duration = Duration::from_secs(6);

/// What the rules want of a record, given the state that was last confirmed of it and the effects that are not over.
pub fn wanted(
    mapping: &Mapping,
    record: &Record,
    related: Option<&RelatedContact>,
    confirmed: Option<&ConfirmedState>,
    open: &[OpenEffect],
) -> EffectPlan {
    let judged = |from: TurnedFrom| {
        let previous: Option<Properties> = from
            .properties_json
            .as_deref()
            .and_then(|text| serde_json::from_str(text).ok());
        let rules = mapping.judge_rules(record, related, previous.as_ref());
        rules.into_iter().map(move |rule| (from.clone(), rule))
    };
    let turn = |(from, rule): (TurnedFrom, JudgedRule)| TurnPlan {
        rule: rule.name,
        from,
        acts: rule.acts,
    };
    let last = TurnedFrom {
        version: confirmed.map_or(NEVER, |state| state.version),
        properties_json: confirmed.map(|state| state.properties_json.clone()),
    };
    let fires = judged(last).filter(|(_, rule)| rule.fires).map(turn);
    // An earlier turn is judged by the state it turned from: its condition may speak of that.
    let turns: BTreeSet<&TurnedFrom> = open.iter().map(|effect| &effect.from).collect();
    let still = turns.into_iter().cloned().flat_map(judged);
    let still = still.filter(|(from, rule)| {
        let of_turn = |effect: &OpenEffect| effect.rule == rule.name && effect.from == *from;
        rule.holds && open.iter().any(of_turn)
    });
    EffectPlan {
        record: record.id.clone(),
        version: version(record),
        fires: fires.collect(),
        open: still.map(turn).collect(),
    }
}

/// What the rules last did to an address's standing on a list, as far as it is known.
///
/// # Errors
/// `Store` if the store failed.
pub async fn last_list_effect(
    store: &Store,
    account: &Account,
    email: &Email,
    list: &str,
) -> Result<Option<ListEffect>, ApiError> {
    let last = store.last_list_effect(&account.name, email, list).await;
    last.map_err(|error| ApiError::new(Api::ActiveCampaign, ErrorClass::Store, error.to_string()))
}

/// Who acts on a contact that was just written or is in step.
pub struct Actor<'a> {
    pub store: &'a Store,
    pub account: &'a Account,
    pub mapping: &'a Mapping,
    pub contact: &'a ContactId,
    pub email: &'a Email,
    /// The job that has the contact; an export has it by its own lease.
    pub job: Option<(&'a Desk, &'a Claim)>,
}

/// Why some effect is not over.
#[derive(Debug)]
pub struct Trouble {
    pub kind: TroubleKind,
    pub problem: Problem,
    pub request: Option<String>,
    pub response: Option<String>,
}

/// What the trouble means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TroubleKind {
    /// It surely did not happen; a person mends something.
    Failed,
    /// It may have happened; a person decides.
    Unknown,
    /// A call failed in a way that passes; the rest was left for later.
    Passing {
        class: ErrorClass,
        retry_after: Option<Duration>,
        /// What the account said of the token.
        probe: Probed,
        /// The request may have arrived.
        ambiguous: bool,
    },
    /// It is too soon to tell whether it happened; to be looked at after this time.
    TooSoon(Duration),
}

impl TroubleKind {
    fn weight(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::Unknown => 1,
            Self::TooSoon(_) => 2,
            Self::Passing { .. } => 3,
        }
    }
}

impl Actor<'_> {
    /// Brings effects to their end, in order. One that fails does not keep the others from being done; a call that may
    /// succeed later does. The answer is the gravest trouble, `None` once all are over.
    ///
    /// # Errors
    /// The store failed, or somebody else has the job.
    pub async fn act(&self, effects: &[OpenEffect]) -> Result<Option<Trouble>, Stop> {
        let mut gravest: Option<Trouble> = None;
        for effect in effects {
            let Some(trouble) = self.one(effect).await? else {
                continue;
            };
            let ends = matches!(trouble.kind, TroubleKind::Passing { .. });
            if gravest
                .as_ref()
                .is_none_or(|other| trouble.kind.weight() > other.kind.weight())
            {
                gravest = Some(trouble);
            }
            if ends {
                break;
            }
        }
        Ok(gravest)
    }

    async fn one(&self, effect: &OpenEffect) -> Result<Option<Trouble>, Stop> {
        match effect.state {
            EffectState::Planned | EffectState::Failed => self.send(effect).await,
            EffectState::Sending => self.read_back(effect).await,
            EffectState::Unknown => Ok(Some(unknown(effect))),
            EffectState::Done | EffectState::Obsolete => Ok(None),
        }
    }

    /// The request may have left and its answer was not heard: what stands there now tells.
    async fn read_back(&self, effect: &OpenEffect) -> Result<Option<Trouble>, Stop> {
        let contact = effect.contact_id.as_ref().unwrap_or(self.contact);
        let found = match self.found(effect, contact).await {
            Ok(found) => found,
            Err(error) => {
                if let Some(probed) = self.passes(&error).await {
                    return Ok(Some(passing(effect, &error, probed, true)));
                }
                // The contact, or what the effect is about, is gone or not to be read: nobody can tell any more.
                self.end(effect, end(EffectState::Unknown)).await?;
                return Ok(Some(unknown(effect)));
            }
        };
        let age = effect.sent_at.map_or(Duration::MAX, |at| {
            Duration::try_from(Timestamp::now().duration_since(at)).unwrap_or(Duration::ZERO)
        });
        match found {
            Found::Arrived => {
                let response = "read back: it had arrived".to_owned();
                self.end(
                    effect,
                    EffectEnd {
                        response: Some(response),
                        ..end(EffectState::Done)
                    },
                )
                .await?;
                Ok(None)
            }
            Found::Absent { repeatable: false } if age < QUIET => {
                Ok(Some(too_soon(effect, QUIET - age)))
            }
            Found::Absent { .. } => {
                self.end(effect, end(EffectState::Planned)).await?;
                let planned = OpenEffect {
                    state: EffectState::Planned,
                    sent_at: None,
                    ..effect.clone()
                };
                self.send(&planned).await
            }
            Found::Untold if age < LOG_LAG => Ok(Some(too_soon(effect, LOG_LAG - age))),
            Found::Untold => {
                self.end(effect, end(EffectState::Unknown)).await?;
                Ok(Some(unknown(effect)))
            }
        }
    }

    async fn send(&self, effect: &OpenEffect) -> Result<Option<Trouble>, Stop> {
        let (known, request) = match self.prepare(effect).await {
            Ok(Prepared::Send { known, request }) => (known, request),
            Ok(Prepared::Nothing(why)) => {
                let done = EffectEnd {
                    response: Some(why),
                    ..end(EffectState::Done)
                };
                self.end(effect, done).await?;
                return Ok(None);
            }
            Err(error) => return Ok(Some(self.not_sent(effect, &error).await?)),
        };
        let job = match self.job {
            Some((desk, claim)) => {
                desk.may_send(claim).await?;
                Some((&claim.job, claim.epoch))
            }
            None => None,
        };
        let sent_at = self
            .store
            .effect_sending(effect, job, self.contact, &known)
            .await?;
        if sent_at.is_none() {
            return Err(Stop::Lost);
        }
        let marked = OpenEffect {
            state: EffectState::Sending,
            contact_id: Some(self.contact.clone()),
            sent_at,
            ..effect.clone()
        };
        match self.call(&marked, &request).await {
            Ok(Sent { request, response }) => {
                let done = EffectEnd {
                    request: Some(request),
                    response: Some(response),
                    ..end(EffectState::Done)
                };
                self.end(&marked, done).await?;
                Ok(None)
            }
            Err(error) if error.ambiguous => {
                self.end(&marked, failing(EffectState::Sending, effect, &error))
                    .await?;
                Ok(Some(passing(effect, &error, Probed::Alive, true)))
            }
            Err(error) => Ok(Some(self.not_sent(&marked, &error).await?)),
        }
    }

    /// A call that surely changed nothing: it passes, or a person must mend something.
    async fn not_sent(&self, effect: &OpenEffect, error: &ApiError) -> Result<Trouble, Stop> {
        if let Some(probed) = self.passes(error).await {
            self.end(effect, failing(EffectState::Planned, effect, error))
                .await?;
            return Ok(passing(effect, error, probed, false));
        }
        self.end(effect, failing(EffectState::Failed, effect, error))
            .await?;
        Ok(Trouble {
            kind: TroubleKind::Failed,
            problem: about(effect, error.into()),
            request: Some(error.request.clone()).filter(|text| !text.is_empty()),
            response: error.response.clone(),
        })
    }

    /// What the account said of its token, for an error that passes by itself; `None` for others. A refusal is an effect's own
    /// trouble as long as the token is good for others.
    async fn passes(&self, error: &ApiError) -> Option<Probed> {
        match error.class {
            ErrorClass::Transient | ErrorClass::Throttled | ErrorClass::Store => {
                Some(Probed::Alive)
            }
            // A token that cannot be had, or used, is as dead as one that is refused.
            ErrorClass::Auth | ErrorClass::Config => {
                let probed = probe(self.account, Api::ActiveCampaign).await;
                (probed != Probed::Alive).then_some(probed)
            }
            _ => None,
        }
    }

    async fn end(&self, effect: &OpenEffect, end: EffectEnd) -> Result<(), Stop> {
        tracing::info!(record = %effect.record, rule = %effect.rule, effect = %effect.act, state = end.state.name(),
            error = end.error.as_ref().map(tracing::field::display), "effect");
        Ok(self
            .store
            .effect_ended(effect.id, effect.sent_at, &end)
            .await?)
    }
}

fn passing(effect: &OpenEffect, error: &ApiError, probe: Probed, ambiguous: bool) -> Trouble {
    Trouble {
        kind: TroubleKind::Passing {
            class: error.class,
            retry_after: error.retry_after,
            probe,
            ambiguous,
        },
        problem: about(effect, error.into()),
        request: Some(error.request.clone()).filter(|text| !text.is_empty()),
        response: error.response.clone(),
    }
}

fn end(state: EffectState) -> EffectEnd {
    EffectEnd {
        state,
        error: None,
        request: None,
        response: None,
    }
}

fn failing(state: EffectState, effect: &OpenEffect, error: &ApiError) -> EffectEnd {
    EffectEnd {
        state,
        error: Some(about(effect, error.into())),
        request: Some(error.request.clone()).filter(|text| !text.is_empty()),
        response: error.response.clone(),
    }
}

/// A problem that says which rule and which act it is about.
fn about(effect: &OpenEffect, problem: Problem) -> Problem {
    Problem {
        message: format!("rule {}: {}: {}", effect.rule, effect.act, problem.message),
        ..problem
    }
}

fn unknown(effect: &OpenEffect) -> Trouble {
    let problem = Problem::new(
        ErrorClass::Unknown,
        "it may or may not have happened, and nothing tells",
    )
    .remedy("look at the contact; retry to do it, discard to leave it");
    Trouble {
        kind: TroubleKind::Unknown,
        problem: about(effect, problem),
        request: None,
        response: None,
    }
}

fn too_soon(effect: &OpenEffect, rest: Duration) -> Trouble {
    let problem = Problem::new(
        ErrorClass::Transient,
        "its answer was lost; it is looked at again before anything is repeated",
    );
    Trouble {
        kind: TroubleKind::TooSoon(rest),
        problem: about(effect, problem),
        request: None,
        response: None,
    }
}

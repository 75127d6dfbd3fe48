//! Who may call a service or a service network.

use super::access_logs::{Standing, standing};
use super::draft::Draft;
use crate::resource::is_our_policy;
use crate::{
    ActualAuth, Blocked, DesiredAuth, Holder, PutAuthPolicy, SetAuthType, TAG_AUTH, Tag, Tags, policy_mark,
};

/// Secures networks, which nothing is waited for.
pub(super) fn secure_networks(draft: &mut Draft) {
    secure_those(draft, |holder| matches!(holder, Holder::Network(_)));
}

/// Secures services, which are active by now.
pub(super) fn secure(draft: &mut Draft) {
    secure_those(draft, |holder| matches!(holder, Holder::Service(_)));
}

/// Writes the wanted policies and closes what they are for, before anything is associated; opens what a person opens.
fn secure_those(draft: &mut Draft, those: impl Fn(&Holder) -> bool) {
    for wanted in draft.desired.auth.clone().into_iter().filter(|wanted| those(&wanted.holder)) {
        match standing(draft, &wanted.holder) {
            Standing::Ours => secure_one(draft, &wanted),
            Standing::Others => draft.block(Blocked::AuthOfOthers { holder: wanted.holder }),
            Standing::Missing => {}
        }
    }
}

fn secure_one(draft: &mut Draft, wanted: &DesiredAuth) {
    let holder = &wanted.holder;
    let held = held(draft, holder);
    let Some(policy) = &wanted.policy else {
        if held.is_closed {
            draft.push(SetAuthType { holder: holder.clone(), is_closed: false });
        }
        return;
    };
    if !held.has(policy) {
        let Some((arn, tags)) = tags_of(draft, holder) else { return };
        let is_ours = held.policy.as_deref().is_none_or(|held| is_our_policy(&tags, held));
        if !is_ours && !wanted.replaces_others {
            draft.block(Blocked::AuthPolicyOfOthers { holder: holder.clone() });
            return;
        }
        // The mark of what is there stays beside the new one's, so that it is ours whichever way this ends.
        let marks = held.policy.iter().map(|held| policy_mark(held));
        let marks: Vec<String> = std::iter::once(policy_mark(policy)).chain(marks).collect();
        if !marks.iter().all(|mark| bears(&tags, mark)) {
            draft.push(Tag { arn, tags: Tags::from([(TAG_AUTH.to_owned(), marks.join(" "))]) });
        }
        draft.push(PutAuthPolicy { holder: holder.clone(), policy: policy.clone() });
    }
    if !held.is_closed {
        draft.push(SetAuthType { holder: holder.clone(), is_closed: true });
    }
}

fn bears(tags: &Tags, mark: &str) -> bool {
    tags.get(TAG_AUTH).is_some_and(|marks| marks.split(' ').any(|one| one == mark))
}

/// The tags of a new holder: with the mark of the policy that it is to have, so that this is ours from the beginning.
pub(super) fn marked(draft: &Draft, holder: &Holder, mut tags: Tags) -> Tags {
    let wanted = draft.desired.auth.iter().find(|one| one.holder == *holder);
    if let Some(policy) = wanted.and_then(|wanted| wanted.policy.as_ref()) {
        tags.insert(TAG_AUTH.to_owned(), policy_mark(policy));
    }
    tags
}

/// Whether a holder has the policy that is wanted for it, if one is.
pub(super) fn is_secured(draft: &Draft, holder: &Holder) -> bool {
    let wanted = draft.desired.auth.iter().find(|one| one.holder == *holder && one.policy.is_some());
    wanted.is_none_or(|wanted| held(draft, holder).is_as(wanted))
}

fn held(draft: &Draft, holder: &Holder) -> ActualAuth {
    let found = draft.model.auth.iter().find(|one| one.holder == *holder).cloned();
    found.unwrap_or_else(|| ActualAuth::open(holder.clone()))
}

fn tags_of(draft: &Draft, holder: &Holder) -> Option<(String, Tags)> {
    match holder {
        Holder::Service(name) => draft.service(name).map(|one| (one.arn.clone(), one.tags.clone())),
        Holder::Network(name) => {
            let one = draft.model.networks.iter().find(|one| one.name == *name)?;
            Some((one.arn.clone(), one.tags.clone()))
        }
    }
}
